--[[
channels/discover_leave: take a channel off the list of those that can be found. Second of two steps: a crash before it leaves an entry
that is left out by who meets it, and taken off then.

@slot discoverable
@flags allow-oom
@key listing zset
@key fresh   string
@arg id      text
@arg gone    text  1: the channel was deleted. Else an entry that was put on within the last minute stays: its channel may be about to
                   become one that can be found
@ok  left
@ok  kept
]]
--- @include lib/answer

if gone ~= '1' and redis.call('EXISTS', fresh) == 1 then return ok('kept') end
redis.call('ZREM', listing, id)
redis.call('DEL', fresh)
return ok('left')
