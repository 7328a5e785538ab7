--[[
api_keys/look: is this key what it says it is? Nothing is counted, nothing written.

@slot key
@flags no-writes
@key record  hash
@arg digest  text  SHA-256 of the key that was sent
@ok  admitted  label, scopes or -, actor id, created
@no  unauthorized
]]
--- @include lib/answer

local known, label, active, scopes, actor, created = unpack(redis.call('HMGET', record, 'digest', 'label', 'active', 'scopes', 'actor', 'created'))
if known ~= digest or active ~= '1' then return refuse('unauthorized') end
return ok('admitted', label, scopes or '-', actor, created)
