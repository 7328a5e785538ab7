--[[
channels/name_read: which channel a name of a key stands for. With `pin`, retries of one request go to the channel of its first try.

@slot key
@flags allow-oom
@key channels hash
@key pin      string
@arg name     text
@arg found    text  what an alias stands for, in case the key has no such name; or empty
@arg pin_ms   int   0: not pinned
@ok  bound    channel id, or empty
]]
--- @include lib/answer

local pinned = pin_ms > 0 and redis.call('GET', pin)
if pinned then return ok('bound', pinned) end
local id = redis.call('HGET', channels, name) or found
if pin_ms > 0 and id ~= '' then redis.call('SET', pin, id, 'PX', pin_ms) end
return ok('bound', id)
