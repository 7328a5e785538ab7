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
local token_now, ends_now = unpack(redis.call('HMGET', room, 'token', 'ends'))
if token_now and token_now ~= token then return ok('taken') end
if token_now then return ok('created', ends_now) end -- the first answer was lost
local ends = now + life_ms * 1000
redis.call('HSET', room, 'token', token, 'ends', int(ends), 'seen', int(now), 'length', 0, 'apart', 0, 'resumes', 0, 'maker', maker,
  'history', history_id())
redis.call('PEXPIREAT', room, string.format('%d', math.ceil(ends / 1000) + 86400000 + 10000))
return ok('created', ends)
