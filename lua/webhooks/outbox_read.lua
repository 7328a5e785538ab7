--[[
webhooks/outbox_read: what waits in a channel's outbox, oldest first.

@slot channel
@flags no-writes
@key meta    hash
@key outbox  stream
@arg limit   int
@ok  page    entries
@ok  idle    -- nothing, and the channel has no webhook
]]
--- @include lib/answer

local page = redis.call('XRANGE', outbox, '-', '+', 'COUNT', limit)
if #page == 0 and (redis.call('HGET', meta, 'webhook_url') or '') == '' then return ok('idle') end
return ok('page', page)
