--[[
api_keys/minting: open or close public minting for the whole fleet.

@slot mint
@flags allow-oom
@key closed  string
@arg want    text  open or closed
@ok  minting  open 0|1
]]
--- @include lib/answer

if want == 'open' then redis.call('DEL', closed) end
if want ~= 'open' then redis.call('SET', closed, '1') end
return ok('minting', 1 - redis.call('EXISTS', closed))
