--[[
actors/hook_read: an actor's webhook, for its owner.

@slot key
@flags no-writes
@key book   hash
@key hooks  hash
@arg key    text
@arg id     text
@ok  hook   URL, secret, set at (µs), joined by \31
@no  actor_not_found
@no  actor_forbidden
@no  webhook_not_found
]]
--- @include lib/answer
--- @include lib/actor

local hook = redis.call('HGET', hooks, id)
if not hook then return refuse('webhook_not_found') end
return ok('hook', hook)
