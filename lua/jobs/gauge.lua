--[[
jobs/gauge: how much a queue holds.

@slot jobs
@flags no-writes
@key jobs     stream
@key bundled  string  jobs of the stream that are no entries of their own
@key retries  zset
@ok  gauge    jobs to be tried now, jobs to be tried later, when the oldest of the first came (ms), 0: there is none
]]
--- @include lib/answer

local waiting
--- @include lib/queued

local oldest = redis.call('XRANGE', jobs, '-', '+', 'COUNT', 1)[1]
return ok('gauge', waiting, redis.call('ZCARD', retries), oldest and string.match(oldest[1], '^%d+') + 0 or 0)
