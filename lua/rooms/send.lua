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
@arg text      text
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
--- @include lib/participant
if fault ~= '' then return ok('bad_text') end
if once_ms > 0 then
  local first = redis.call('GET', sent)
  if first then return ok('sent', first + 0) end
end
--- @include lib/room_seen
--- @include lib/room_append
notice(parked_until, 0)
local name = string.match(about, '\31(.*)$')
local index = append('message', name, text)
redis.call('HINCRBY', room, 'sent', 1)
if once_ms > 0 then redis.call('SET', sent, index, 'PX', once_ms) end
return ok('sent', index)
