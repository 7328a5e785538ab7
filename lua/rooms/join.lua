--[[
rooms/join: become a participant. The first join of a room that sleeps wakes it: the log begins again at 0.

@slot room
@key room      hash    the record
@key log       stream  gets the join
@key people    hash    gets the participant
@key wake      pubsub
@arg token     text    SHA-256 of the room's token
@arg idle_ms   int     a room that nobody uses falls asleep after this
@arg hibernate_ms int  a room that sleeps ends after this
@arg max_people   int
@arg max_messages int
@arg participant  text made by the replica: asked again, it is the same join
@arg name      text
@arg key_fp    text    fingerprint of the room's key, or empty
@ok  joined    index after the join, participants as lists of id and record, 1 if it woke the room, maker
@ok  unknown
@ok  over      reason, when µs
@ok  channel_full
@ok  name_taken
]]
--- @include lib/answer
--- @include lib/room
--- @include lib/room_seen
--- @include lib/replication
if state == 'over' then return ok('over', reason, over_at) end
local maker = redis.call('HGET', room, 'maker')
local woke = state == 'asleep'
local number = 0
if not woke then
  if redis.call('HEXISTS', people, participant) == 1 then
    return ok('joined', length, redis.call('HGETALL', people), 0, maker)
  end
  local taken = false
  for _, person in ipairs(redis.call('HVALS', people)) do -- at most max_people
    local place, its_name = string.match(person, '^(%d+)\31%d+\31%d+\31%d+\31[^\31]*\31(.*)$')
    number = math.max(number, place + 1)
    taken = taken or its_name == name
  end
  if redis.call('HLEN', people) >= max_people then return ok('channel_full') end
  if taken then return ok('name_taken') end
end
if woke then
  redis.call('UNLINK', log)
  redis.call('UNLINK', people)
  redis.call('HSET', room, 'length', 0, 'history', history_id())
  redis.call('HINCRBY', room, 'apart', int(-length))
  redis.call('HINCRBY', room, 'resumes', 1)
end
local has = int(woke and 1 or length + 1)
redis.call('HSET', people, participant, table.concat({ number, int(now), 0, has, key_fp, name }, '\31'))
local kind, from, text = 'join', name, ''
length = redis.call('HINCRBY', room, 'length', 1)
redis.call('HINCRBY', room, 'apart', 1)
local count = int(length)
--- @include lib/room_append
if length < max_messages then keep(now) end
return ok('joined', length, redis.call('HGETALL', people), woke and 1 or 0, maker)
