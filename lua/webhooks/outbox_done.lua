--[[
webhooks/outbox_done: these entries of a channel's outbox are in a queue. Second of two steps: a crash before it leaves entries that are
handed over again, which the queue notices.

@slot channel
@flags allow-oom
@key outbox  stream
@rest        ids; at most 64
@ok  done    how many were there
]]
--- @include lib/answer

return ok('done', redis.call('XDEL', outbox, unpack(rest)))
