--[[
api_keys/minting_read: whether public minting is open.

@slot mint
@flags no-writes
@key closed  string
@ok  minting  open 0|1
]]
--- @include lib/answer

return ok('minting', 1 - redis.call('EXISTS', closed))
