--[[
hooks/delivered: write down tries of deliveries that succeeded; about the newest 200 are kept for 30 days.

@slot hook
@flags allow-oom
@key deliveries  stream
@key dead        hash
@key dead_index  zset
@key failing     string
@rest            of each: id of the delivery, job, which try, status of the answer, ms it took; at most 64 tries
@ok  recorded
]]
--- @include lib/answer

local ids = {}
for i = 1, #rest, 5 do
  ids[#ids + 1] = rest[i]
  redis.call('XADD', deliveries, 'MAXLEN', '~', 200, '*', 'i', rest[i], 'j', rest[i + 1], 'n', rest[i + 2], 's', rest[i + 3],
    'd', rest[i + 4], 'o', 'delivered', 'e', '')
end
redis.call('PEXPIRE', deliveries, 2592000000)
redis.call('DEL', failing)
if redis.call('HDEL', dead, unpack(ids)) > 0 then redis.call('ZREM', dead_index, unpack(ids)) end
return ok('recorded')
