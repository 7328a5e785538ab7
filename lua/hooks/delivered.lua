--[[
hooks/delivered: write down tries of deliveries that succeeded; the newest 200 are kept for 30 days.

@slot hook
@flags allow-oom
@key tries       list    how each ended, the newest first: when (µs), outcome, which try, status, ms it took, error, job, joined by \31
@key dead        hash
@key dead_index  zset
@key failing     string
@rest            of each: id of the delivery, its try without the time; at most 128
@ok  recorded
]]
--- @include lib/answer
--- @include lib/number

local at, told = int(now) .. '\31', {}
for i = 2, #rest, 2 do told[i / 2] = at .. rest[i] end
redis.call('LPUSH', tries, unpack(told))
redis.call('LTRIM', tries, 0, 199)
redis.call('PEXPIRE', tries, 2592000000)
redis.call('DEL', failing)
if redis.call('EXISTS', dead) == 1 then
  local ids = {}
  for i = 1, #rest, 2 do ids[#ids + 1] = rest[i] end
  if redis.call('HDEL', dead, unpack(ids)) > 0 then redis.call('ZREM', dead_index, unpack(ids)) end
end
return ok('recorded')
