--[[
jobs/enter: put what waits in a channel's outbox into a queue, each entry once, however often and by how many it is handed over.

@slot jobs
@key jobs     stream
@key retries  zset
@key handed   zset    entries of this channel that were handed over within the last hour, by when (ms)
@arg most     int     jobs that the queue holds; with so many it takes no more
@rest         id of the entry, job of each; at most 128
@ok  entered  how many were new
@ok  full
]]
--- @include lib/answer

if redis.call('XLEN', jobs) + redis.call('ZCARD', retries) >= most then return ok('full') end
local ids = {}
for i = 1, #rest, 2 do ids[#ids + 1] = rest[i] end
local ms = math.floor(now / 1000)
redis.call('ZREMRANGEBYSCORE', handed, '-inf', ms - 3600000)
local had = redis.call('ZMSCORE', handed, unpack(ids))
local new = {}
for i, id in ipairs(ids) do
  if not had[i] then
    new[#new + 1] = ms
    new[#new + 1] = id
    redis.call('XADD', jobs, '*', 'j', rest[i * 2])
  end
end
if #new > 0 then redis.call('ZADD', handed, unpack(new)) end
redis.call('ZREMRANGEBYRANK', handed, 0, -1001)
redis.call('PEXPIRE', handed, 3600000)
redis.call('PERSIST', jobs)
return ok('entered', #new / 2)
