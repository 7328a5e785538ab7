--[[
members/check: whether a key owns a channel or is a member of it.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text
@ok  member
@ok  stranger
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

return ok(redis.call('HEXISTS', members, key) == 1 and 'member' or 'stranger')
