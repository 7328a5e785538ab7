--[[
webhooks/actor_hook: where mentions of an actor are pushed to. A revoked key has no actors.

@slot key
@flags no-writes
@key book   hash
@key hooks  hash
@arg id     text
@ok  hook   record of the actor, webhook
@ok  none
]]
--- @include lib/answer

local actor, hook = redis.call('HGET', book, id), redis.call('HGET', hooks, id)
if not actor or not hook then return ok('none') end
return ok('hook', actor, hook)
