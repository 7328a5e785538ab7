--[[
jobs/due: put jobs whose time has come back into the stream, at most 256 a call.

@slot jobs
@flags allow-oom
@key jobs     stream
@key retries  zset
@ok  moved    how many
]]
--- @include lib/answer

local due = redis.call('ZRANGEBYSCORE', retries, '-inf', math.floor(now / 1000), 'LIMIT', 0, 256)
for _, job in ipairs(due) do
  redis.call('XADD', jobs, '*', 'j', job)
  redis.call('ZREM', retries, job)
end
if #due > 0 then redis.call('PERSIST', jobs) end
return ok('moved', #due)
