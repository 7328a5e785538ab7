--[[
messages/receipt: what became of a message.

@slot channel
@flags no-writes
@key meta      hash
@key members   hash
@key log       stream
@key claims    hash
@key retracted zset
@arg key       text  who reads
@arg n         int   the message
@ok  receipt    ttl µs, rev, entry, record or '', result or ''
@ok  retracted  ttl µs, rev
@no  channel_not_found
@no  channel_access_denied
@no  message_not_found
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/receipt

return receipt()
