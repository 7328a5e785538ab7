--[[
jobs/enter: put what waits in a channel's outbox into a queue, each entry once, however often and by how many it is handed over.

@slot jobs
@key jobs     stream
@key retries  zset
@key handed   zset    entries of this channel that were handed over within the last hour, by when (ms)
@arg most     int     jobs that the queue holds; with so many it takes no more
@rest         id of the entry, job of each; at most 64
@ok  entered  how many were new
@ok  full
]]
--- @include lib/answer

if redis.call('XLEN', jobs) + redis.call('ZCARD', retries) >= most then return ok('full') end
local ms = math.floor(now / 1000)
redis.call('ZREMRANGEBYSCORE', handed, '-inf', ms - 3600000)
local new = 0
for i = 1, #rest, 2 do
  if redis.call('ZADD', handed, 'NX', ms, rest[i]) == 1 then
    redis.call('XADD', jobs, '*', 'j', rest[i + 1])
    new = new + 1
  end
end
redis.call('ZREMRANGEBYRANK', handed, 0, -1001)
redis.call('PEXPIRE', handed, 3600000)
redis.call('PERSIST', jobs)
return ok('entered', new)
