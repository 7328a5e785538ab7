--[[
rooms/release: a room that sleeps or has ended gives its place back.

@slot address
@flags allow-oom
@key held      zset    rooms of this address by when they were made
@arg id        text    of the room
@ok  released
]]
--- @include lib/answer
redis.call('ZREM', held, id)
return ok('released')
