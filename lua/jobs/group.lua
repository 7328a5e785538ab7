--[[
jobs/group: make the group of workers where it is missing. It begins with the oldest job: what is in the stream is not done.

@slot jobs
@flags allow-oom
@key jobs     stream
@ok  made
@ok  known
]]
--- @include lib/answer

local answer = redis.pcall('XGROUP', 'CREATE', jobs, 'workers', '0', 'MKSTREAM')
if answer.err then return ok('known') end
redis.call('PERSIST', jobs)
return ok('made')
