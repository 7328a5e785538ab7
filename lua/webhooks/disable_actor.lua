--[[
webhooks/disable_actor: take an actor's webhook away because its target is gone.

@slot key
@flags allow-oom
@key hooks   hash
@arg id      text
@arg hook    text  as it was when it failed: one that was set since stays
@ok  disabled
@ok  changed
]]
--- @include lib/answer

if redis.call('HGET', hooks, id) ~= hook then return ok('changed') end
redis.call('HDEL', hooks, id)
return ok('disabled')
