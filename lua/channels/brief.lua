--[[
channels/brief: what anybody is shown of a channel that can be found, and its owner of any.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text  who reads
@ok  channel  name, mode, access, description, made at (µs), can be found 0|1, is a member 0|1
@ok  hidden
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

local owner, found, name, description, created =
  unpack(redis.call('HMGET', meta, 'owner', 'discoverable', 'name', 'description', 'created'))
if found ~= '1' and key ~= owner then return ok('hidden') end
local inside = redis.call('HEXISTS', members, key) == 1
return ok('channel', name, mode, restricted and 'restricted' or 'open', description or '', created, found == '1' and 1 or 0, inside and 1 or 0)
