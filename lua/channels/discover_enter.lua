--[[
channels/discover_enter: put a channel on the list of those that can be found, just before it becomes one.

First of two steps: a crash after it leaves an entry of a channel that cannot be found. Who meets it leaves it out, and takes it off
once it is not fresh any more.

@slot discoverable
@key listing zset    channel ids by when they were made (µs), no two at the same number
@key fresh   string  put on within the last minute
@arg id      text
@arg created int     µs; 0: now
@ok  entered
]]
--- @include lib/answer
--- @include lib/place

place(listing, id, created > 0 and created or now)
redis.call('SET', fresh, '1', 'EX', 60)
return ok('entered')
