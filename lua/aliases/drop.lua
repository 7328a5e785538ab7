--[[
aliases/drop: free a global alias, if it still stands for this channel or actor.

@slot alias
@flags allow-oom
@key alias  string
@arg id     text
@ok  dropped  1 if it did
]]
--- @include lib/answer

local ours = redis.call('GET', alias) == id
if ours then redis.call('DEL', alias) end
return ok('dropped', ours and 1 or 0)
