--[[
actors/find: which actor a name of a key stands for. With `pin`, retries of one request go to the actor of its first try.

@slot key
@flags allow-oom
@key actors  hash    the key's actor names
@key pin     string
@arg name    text
@arg found   text  what an alias stands for, in case the key has no such name; or empty
@arg pin_ms  int   0: not pinned
@ok  found   actor id
@no  actor_not_found
]]
--- @include lib/answer

local pinned = pin_ms > 0 and redis.call('GET', pin)
if pinned then return ok('found', pinned) end
local id = redis.call('HGET', actors, name) or found
if id == '' then return refuse('actor_not_found') end
if pin_ms > 0 then redis.call('SET', pin, id, 'PX', pin_ms) end
return ok('found', id)
