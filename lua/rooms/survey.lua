--[[
rooms/survey: how a room is, for counts and limits.

@slot room
@flags no-writes
@key room      hash    the record
@key people    hash    counted
@arg idle_ms   int     a room that nobody uses falls asleep after this
@arg hibernate_ms int  a room that sleeps ends after this
@ok  room      state, reason, when that changes by itself µs, participants, length, texts ever sent, resumes, times it fell asleep
@ok  unknown
]]
--- @include lib/answer
--- @include lib/room_life
local next_change = state == 'awake' and math.min(asleep_at, ends) or math.min(dead_at, ends)
local participants = state == 'awake' and redis.call('HLEN', people) or 0
local resumes, apart = unpack(redis.call('HMGET', room, 'resumes', 'apart'))
resumes = resumes + 0
local slept = resumes + (state == 'asleep' and 1 or 0)
-- A room that ended asleep had fallen asleep before.
if state == 'over' and (reason == 'hibernate_expired' or reason == 'max_lifetime' and asleep_at <= over_at) then slept = slept + 1 end
return ok('room', state, reason or '', next_change, participants, state == 'awake' and length or 0, length - apart,
  resumes, slept)
