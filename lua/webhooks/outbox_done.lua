--[[
webhooks/outbox_done: a channel's outbox up to this entry is in a queue. Second of two steps: a crash before it leaves entries that are
handed over again, which the queue notices.

@slot channel
@flags allow-oom
@key outbox  stream
@arg last    text  id of the last entry that is in a queue
@ok  done    how many went
@ok  gone    -- it is not there: others took it out, with all before it; or a failover lost it, and what is there may be something else
]]
--- @include lib/answer

-- Entries come in the order of their ids. While this one is there, all before it were there when it was read; so they go at once, and not
-- one by one, each searched for.
if not redis.call('XRANGE', outbox, last, last)[1] then return ok('gone') end
local ms, seq = string.match(last, '^(%d+)-(%d+)$')
local done = redis.call('XTRIM', outbox, 'MINID', string.format('%s-%d', ms, seq + 1))
-- An empty one stays for a day: begun anew at once, it could give an entry an id that the queue has had.
if redis.call('XLEN', outbox) == 0 then redis.call('PEXPIRE', outbox, 86400000) end
return ok('done', done)
