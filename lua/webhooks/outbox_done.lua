--[[
webhooks/outbox_done: these entries of a channel's outbox are in a queue. Second of two steps: a crash before it leaves entries that are
handed over again, which the queue notices.

@slot channel
@flags allow-oom
@key outbox  stream
@rest        ids; at most 128
@ok  done    how many were there
]]
--- @include lib/answer

local done = redis.call('XDEL', outbox, unpack(rest))
-- An empty one stays for a day: begun anew at once, it could give an entry an id that the queue has had.
if redis.call('XLEN', outbox) == 0 then redis.call('PEXPIRE', outbox, 86400000) end
return ok('done', done)
