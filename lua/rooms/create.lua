--[[
rooms/create: a new room, awake and empty.

@slot room
@key room      hash    the record; it outlives the room by the day in which who asks is told how it ended
@arg token     text    SHA-256 of the room's token
@arg maker     text    client address that made it
@arg life_ms   int     longest life of a room
@ok  created   end of its lifetime µs
@ok  taken     another room has this id
]]
--- @include lib/answer
--- @include lib/number
--- @include lib/replication
local life = redis.call('HGET', room, 'life')
if life and string.sub(life, 17) ~= token then return ok('taken') end
if life then return ok('created', (struct.unpack('<d', life))) end -- the first answer was lost
local ends = now + life_ms * 1000
redis.call('HSET', room, 'life', struct.pack('<dd', ends, now) .. token, 'length', 0, 'apart', 0, 'resumes', 0, 'maker', maker,
  'history', history_id())
redis.call('PEXPIREAT', room, string.format('%d', math.ceil(ends / 1000) + 86400000 + 10000))
return ok('created', ends)
