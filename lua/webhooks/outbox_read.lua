--[[
webhooks/outbox_read: the oldest of what waits in a channel's outbox, and whether there may ever be something.

@slot channel
@flags no-writes
@key meta    hash
@key outbox  stream
@arg limit   int
@ok  page    entries
@ok  idle    -- nothing at all, and the channel has no webhook
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

local page = redis.call('XRANGE', outbox, '-', '+', 'COUNT', limit)
if #page == 0 and not hooked then return ok('idle') end
return ok('page', page)
