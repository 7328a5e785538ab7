--[[
channels/name_drop: free a name, if it still stands for this channel.

@slot key
@flags allow-oom
@key channels hash
@arg name     text
@arg id       text
@ok  dropped  1 if it did
]]
--- @include lib/answer

local mine = redis.call('HGET', channels, name) == id
if mine then redis.call('HDEL', channels, name) end
return ok('dropped', mine and 1 or 0)
