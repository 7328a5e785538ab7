--[[
hooks/delivered: write down tries of deliveries that succeeded; the newest 200 are kept for 30 days.

@slot hook
@flags allow-oom
@key tries       list    how each ended, the newest first: when (µs), outcome, which try, status, ms it took, error, job, joined by \31
@key dead        hash
@key dead_index  zset
@key failing     string
@rest            tries, the oldest first; at most 128
@ok  recorded
]]
--- @include lib/answer

redis.call('LPUSH', tries, unpack(rest))
redis.call('LTRIM', tries, 0, 199)
redis.call('PEXPIRE', tries, 2592000000)
redis.call('DEL', failing)
if redis.call('EXISTS', dead) == 1 then
  local ids, delivery = {}, '^' .. string.rep('[^\31]*\31', 6) .. '([^\31]*)' -- a job begins with its delivery
  for i, try in ipairs(rest) do ids[i] = string.match(try, delivery) end
  if redis.call('HDEL', dead, unpack(ids)) > 0 then redis.call('ZREM', dead_index, unpack(ids)) end
end
return ok('recorded')
