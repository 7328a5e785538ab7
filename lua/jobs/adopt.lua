--[[
jobs/adopt: take over jobs that their worker has not settled for so long that it must be dead.

@slot jobs
@flags allow-oom
@key jobs     stream
@arg worker   text  who takes over
@arg idle     int   ms since the job was read
@arg from     text  where the last call ended; 0-0: from the start
@ok  adopted  where to go on, entries
@ok  no_group
]]
--- @include lib/answer

local answer = redis.pcall('XAUTOCLAIM', jobs, 'workers', worker, idle, from, 'COUNT', 16)
if answer.err then return ok('no_group') end
return ok('adopted', answer[1], answer[2])
