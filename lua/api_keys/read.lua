--[[
api_keys/read: whether a key is active, asked by somebody else (a channel's owner who adds it as a member).

@slot key
@flags no-writes
@key record  hash
@ok  active  label
@no  key_not_found
]]
--- @include lib/answer

local active, label = unpack(redis.call('HMGET', record, 'active', 'label'))
if active ~= '1' then return refuse('key_not_found') end
return ok('active', label)
