--[[
messages/watch: the same as messages/receipt, for those who wait: for the next minute or two the channel's messages tell what becomes of them.

@slot channel
@flags allow-oom
@key meta      hash
@key members   hash
@key log       stream
@key claims    hash
@key retracted zset
@arg key       text  who reads; empty: the replica, for waiters it has checked
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
--- @include lib/settings

-- Who waits reads again at least every 30 s. Written once a minute at most, however many wait.
local MINUTE = 60000000
local said, is_there = receipt()
if is_there and (watched or 0) < now + MINUTE then
  redis.call('HSET', meta, 'watched', int(now + 2 * MINUTE))
  pack_settings()
end
return said
