--[[
jobs/done: take jobs that nothing more is to be done about out of the queue.

@slot jobs
@flags allow-oom
@key jobs     stream
@rest         ids of stream entries; at most 128
@ok  done     how many were still there: others were taken over and settled by another worker
]]
--- @include lib/answer

local done = redis.call('XDEL', jobs, unpack(rest))
redis.call('XACK', jobs, 'workers', unpack(rest))
return ok('done', done)
