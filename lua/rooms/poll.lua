--[[
rooms/poll: what is in the room from an index on, and that the participant is there.

@slot room
@flags allow-oom
@key room      hash    the record
@key log       stream  read
@key people    hash    who may read; when the reader was there
@arg token     text    SHA-256 of the room's token
@arg idle_ms   int     a room that nobody uses falls asleep after this
@arg hibernate_ms int  a room that sleeps ends after this
@arg participant  text
@arg since     int     index to begin with
@arg park_ms   int     how long the reader will wait if there is nothing
@ok  page      entries, index after the last one, participants as lists of id and record, last word of a room that ended, 1 if data went back
@ok  nothing   index after the last one there is, participants, end of its lifetime µs
@ok  unknown
@ok  asleep
@ok  over      reason, when µs
@ok  participant_not_in_channel
]]
--- @include lib/answer
--- @include lib/room
if state == 'asleep' then return ok('asleep') end
if state == 'over' and (now - over_at >= 5000000 or since > length or reason == 'hibernate_expired') then return ok('over', reason, over_at) end
--- @include lib/participant
--- @include lib/room_seen
--- @include lib/page
local function shown(entries, cursor, last, reset) return ok('page', entries, cursor, redis.call('HGETALL', people), last, reset) end
-- A reader who claims to have more than it was given: either it skips what it does not want, or what it was given was lost in a failover, and others may
-- have used those indexes again meanwhile. Only another history than the room began in can have lost something.
local reset, upto = 0, '+'
if since > math.min(given, length) then
  --- @include lib/replication
  if redis.call('HGET', room, 'history') ~= history_id() then
    -- The page ends before the index it was asked from: where this answer gets lost, the reader asks from there again, beyond what it was given, and
    -- is told again.
    if state ~= 'over' then upto = int(since - 1) .. '-0' end
    since, reset = 0, 1
  end
end
local entries, more = {}, false
if since < length then entries, more = read_page('XRANGE', int(since + 1) .. '-0', upto, 1000) end
local cursor = #entries > 0 and num(entries[#entries][1]) or since
if state == 'over' then
  if more then return shown(entries, cursor, '', reset) end
  return shown(entries, length + 1, reason, reset)
end
if #entries > 0 or reset == 1 then
  notice(0, cursor)
  return shown(entries, cursor, '', reset)
end
notice(park_ms > 0 and now + park_ms * 1000 or 0, math.min(since, length))
return ok('nothing', length, redis.call('HGETALL', people), ends)
