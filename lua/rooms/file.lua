--[[
rooms/file: what a look at a room found goes into the counts. All of it follows from what the room says and what was last counted, so the same
again changes nothing.

@slot rooms
@flags allow-oom
@key awake     zset    rooms by when they are looked at next
@key asleep    zset    the same of those that sleep
@key sizes     hash    what was last counted of each room
@key totals    hash
@arg id        text
@arg state     text    awake, asleep, over, unknown
@arg reason    text    of a room that is over
@arg due       int     when it is looked at next, µs
@arg participants int
@arg length    int
@arg texts     int     ever sent
@arg resumes   int
@arg slept     int
@arg life_ms   int     after this without a room, nothing is kept
@ok  filed
]]
--- @include lib/answer
--- @include lib/number
local counted = redis.call('HGET', sizes, id)
if not counted then return ok('filed') end -- it has ended, and was counted out
local was = { string.match(counted, '^(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%d+)$') }
local gone = state == 'over' or state == 'unknown'
if state == 'unknown' then texts, resumes, slept = was[3] + 0, was[4] + 0, was[5] + 0 end
if gone then participants, length = 0, 0 end
-- Of two looks that overtake each other, what only grows says which one was later.
if texts < was[3] + 0 or resumes < was[4] + 0 or slept < was[5] + 0 then return ok('filed') end
for i, name in ipairs({ 'participants', 'messages', 'sent', 'resumes', 'hibernations' }) do
  local more = ({ participants, length, texts, resumes, slept })[i] - was[i]
  if more ~= 0 then redis.call('HINCRBY', totals, name, int(more)) end
end
if gone then
  if reason ~= '' then redis.call('HINCRBY', totals, 'over_' .. reason, 1) end
  redis.call('ZREM', awake, id)
  redis.call('ZREM', asleep, id)
  redis.call('HDEL', sizes, id)
  return ok('filed')
end
redis.call('HSET', sizes, id, table.concat({ participants, length, texts, resumes, slept }, '\31'))
redis.call('ZADD', state == 'awake' and awake or asleep, int(due), id)
redis.call('ZREM', state == 'awake' and asleep or awake, id)
redis.call('PEXPIRE', state == 'awake' and awake or asleep, life_ms)
redis.call('PEXPIRE', sizes, life_ms)
redis.call('PEXPIRE', totals, 7776000000)
return ok('filed')
