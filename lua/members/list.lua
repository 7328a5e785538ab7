--[[
members/list: the members of a channel, at most MAX_MEMBERS_PER_CHANNEL of them.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text  who asks
@ok  members  key id, grant of each; a grant is granted at (µs), \31, invitation or nothing
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner

return ok('members', redis.call('HGETALL', members))
