--[[
api_keys/minting: open or close public minting for the whole fleet.

@slot mint
@flags allow-oom
@key closed  string
@key audit_of_all stream
@arg want    text  open or closed
@arg event_id text
@arg event   text  what stands in the instance's audit
@arg keep    int
@arg keep_ms int
@ok  minting  open 0|1
]]
--- @include lib/answer
--- @include lib/audit

if want == 'open' then redis.call('DEL', closed) end
if want ~= 'open' then redis.call('SET', closed, '1') end
note(audit_of_all)
return ok('minting', 1 - redis.call('EXISTS', closed))
