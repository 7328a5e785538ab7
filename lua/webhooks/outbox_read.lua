--[[
webhooks/outbox_read: what waits in a channel's outbox, oldest first.

@slot channel
@flags no-writes
@key meta    hash
@key outbox  stream
@arg after   text  id of the entry that the page begins after, or empty
@arg limit   int
@ok  page    entries
@ok  idle    -- nothing at all, and the channel has no webhook
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

local page = redis.call('XRANGE', outbox, after == '' and '-' or '(' .. after, '+', 'COUNT', limit)
if #page == 0 and after == '' and not hooked then return ok('idle') end
return ok('page', page)
