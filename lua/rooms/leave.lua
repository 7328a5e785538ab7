--[[
rooms/leave: a participant goes. After the last one the room soon falls asleep.

@slot room
@flags allow-oom
@key room      hash    the record
@key log       stream  gets the leaving
@key people    hash    loses the participant
@key wake      pubsub
@arg token     text    SHA-256 of the room's token
@arg idle_ms   int     a room that nobody uses falls asleep after this
@arg hibernate_ms int  a room that sleeps ends after this
@arg max_messages int
@arg linger_ms int     how long an empty room stays awake
@arg participant  text
@ok  left
@ok  unknown
@ok  asleep
@ok  over      reason, when µs
@ok  participant_not_in_channel
]]
--- @include lib/room_awake
--- @include lib/participant
--- @include lib/room_seen
redis.call('HDEL', people, participant)
local empty = redis.call('EXISTS', people) == 0
local kind, from, text = 'leave', string.match(about, '\31(.*)$'), ''
length = redis.call('HINCRBY', room, 'length', 1)
redis.call('HINCRBY', room, 'apart', 1)
local count = int(length)
--- @include lib/room_append
-- As if it had been used for the last time so long ago that it falls asleep after the linger.
if empty and length < max_messages then keep(now - math.max(idle_ms * 1000 + step - linger_ms * 1000, 0)) end
return { 'left', now }
