--[[
rooms/send: append one sealed text.

@slot room
@key room      hash    the record
@key log       stream  gets the text
@key people    hash    who may send
@key sent      string  index of the message that the same client_msg_id gave
@key wake      pubsub
@arg token     text    SHA-256 of the room's token
@arg idle_ms   int     a room that nobody uses falls asleep after this
@arg hibernate_ms int  a room that sleeps ends after this
@arg max_messages int
@arg participant  text
@arg text      long
@arg fault     text    what is wrong with the text, or empty; said after everything else
@arg once_ms   int     how long the index is kept for a repeat, 0: not at all
@ok  sent      index
@ok  unknown
@ok  asleep
@ok  over      reason, when µs
@ok  participant_not_in_channel
@ok  bad_text
]]
--- @include lib/room_awake
local person = redis.call('HGET', people, participant)
if not person then return { 'participant_not_in_channel', now } end
if fault ~= '' then return { 'bad_text', now } end
if once_ms > 0 then
  local first = redis.call('GET', sent)
  if first then return { 'sent', now, first + 0 } end
end
local noticed, from = string.match(person, '^%d+\31(%d+)\31%d+\31%d+\31[^\31]*\31(.*)$')
if now - noticed >= step or now - seen >= step then
  --- @include lib/person
  --- @include lib/room_seen
  notice(parked_until, 0)
end
local kind = 'message'
length = length + 1
local count = string.format('%d', length)
redis.call('HSET', room, 'length', count)
--- @include lib/room_append
if once_ms > 0 then redis.call('SET', sent, length - 1, 'PX', once_ms) end
return struct.pack('<Bdd', 0xc1, now, length - 1)
