--[[
channels/name_drop: free a name, if it still stands for this channel.

@slot key
@flags allow-oom
@key channels hash
@key owned    zset
@arg name     text
@arg id       text
@arg gone     text  1: the channel was deleted; else it goes on under another name
@ok  dropped  1 if it did
]]
--- @include lib/answer

local mine = redis.call('HGET', channels, name) == id
if mine then redis.call('HDEL', channels, name) end
if gone == '1' then redis.call('ZREM', owned, id) end
return ok('dropped', mine and 1 or 0)
