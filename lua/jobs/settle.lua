--[[
jobs/settle: take a job that was tried out of the stream: it is to be tried again later.

@slot jobs
@flags allow-oom
@key jobs     stream
@key retries  zset  jobs by when they are due (ms)
@arg entry    text  id of the stream entry
@arg due      int   ms
@arg job      text  as it is to be tried again
@ok  later
@ok  gone   -- another worker has settled it; nothing was written
]]
--- @include lib/answer

local ours = redis.call('XDEL', jobs, entry) == 1
redis.call('XACK', jobs, 'workers', entry)
if not ours then return ok('gone') end
redis.call('ZADD', retries, due, job)
redis.call('PERSIST', retries)
return ok('later')
