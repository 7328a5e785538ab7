--[[
api_keys/minting: open or close public minting for the whole fleet, or only look.

@slot mint
@flags allow-oom
@key closed  string
@arg want    text  open, closed, or empty to look
@ok  minting  open 0|1
]]
--- @include lib/answer

if want == 'open' then redis.call('DEL', closed) end
if want == 'closed' then redis.call('SET', closed, '1') end
return ok('minting', 1 - redis.call('EXISTS', closed))
