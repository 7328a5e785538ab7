-- After entries were taken out of the queue's stream, and with them `fewer` jobs that were no entries of their own.
if fewer > 0 then
  if redis.call('XLEN', jobs) == 0 then
    redis.call('DEL', bundled)
  else
    redis.call('SET', bundled, math.max((redis.call('GET', bundled) or 0) - fewer, 0))
  end
end
