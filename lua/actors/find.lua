--[[
actors/find: the actor of this name under a key.

@slot key
@flags no-writes
@key actors  hash  the key's actor names
@arg name    text
@ok  found   actor id
@no  actor_not_found
]]
--- @include lib/answer

local id = redis.call('HGET', actors, name)
if not id then return refuse('actor_not_found') end
return ok('found', id)
