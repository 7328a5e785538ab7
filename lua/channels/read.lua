--[[
channels/read: the channel's record.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text  who reads
@ok  channel  fields and values
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/fields

return ok('channel', fields())
