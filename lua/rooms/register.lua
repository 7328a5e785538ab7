--[[
rooms/register: a room that is about to be made is counted.

@slot rooms
@key awake     zset    rooms by when they are looked at next
@key sizes     hash    what was last counted of each room
@key totals    hash
@arg id        text
@arg due       int     µs from now on until it is looked at
@arg life_ms   int     after this without a room, nothing is kept
@ok  registered
]]
--- @include lib/answer
--- @include lib/number
if redis.call('HSETNX', sizes, id, '0\0310\0310\0310\0310') == 1 then redis.call('HINCRBY', totals, 'created', 1) end
redis.call('ZADD', awake, int(now + due), id)
redis.call('PEXPIRE', awake, life_ms)
redis.call('PEXPIRE', sizes, life_ms)
redis.call('PEXPIRE', totals, 7776000000)
return ok('registered')
