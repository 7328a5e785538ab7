--[[
rooms/hold: a room that was woken takes a place of its maker's address again. It is not refused for that.

@slot address
@key held      zset    rooms of this address by when they were made
@arg id        text    of the room
@arg life_ms   int     longest life of a room
@ok  held
]]
--- @include lib/answer
--- @include lib/number
redis.call('ZADD', held, int(now), id)
redis.call('ZREMRANGEBYRANK', held, 0, -1001)
redis.call('PEXPIRE', held, life_ms)
return ok('held')
