--[[
webhooks/key_is_active: whether a key was not revoked.

@slot key
@flags no-writes
@key record  hash
@ok  active
@ok  revoked
]]
--- @include lib/answer

return ok(redis.call('HGET', record, 'active') == '1' and 'active' or 'revoked')
