--[[
channels/alias_drop: free a global alias, if it still stands for this channel.

@slot alias
@flags allow-oom
@key alias  string
@arg id     text
@ok  dropped
]]
--- @include lib/answer

if redis.call('GET', alias) == id then redis.call('DEL', alias) end
return ok('dropped')
