--[[
actors/known: what those who mention an actor need of it.

@slot key
@flags no-writes
@key book  hash
@key hooks hash
@arg id    text
@ok  actor  name, owner, 1 if it has a webhook
@no  actor_not_found
]]
--- @include lib/answer

local record = redis.call('HGET', book, id)
if not record then return refuse('actor_not_found') end
local name, owner = string.match(record, '^([^\31]*)\31([^\31]*)')
return ok('actor', name, owner, redis.call('HEXISTS', hooks, id))
