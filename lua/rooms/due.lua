--[[
rooms/due: rooms that are to be looked at, at most 32. Another replica gets them in ten seconds, if this one does not file them.

@slot rooms
@flags allow-oom
@key awake     zset    rooms by when they are looked at next
@key asleep    zset    the same of those that sleep
@ok  rooms     ids, when the next ones are due µs, 0: there is none
]]
--- @include lib/answer
--- @include lib/number
local found = {}
for _, name in ipairs({ awake, asleep }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', name, '-inf', int(now), 'LIMIT', 0, 16)) do
    found[#found + 1] = id
    redis.call('ZADD', name, int(now + 10000000), id)
  end
end
local due = 0
for _, name in ipairs({ awake, asleep }) do
  local first = redis.call('ZRANGE', name, 0, 0, 'WITHSCORES')[2]
  if first and (due == 0 or first + 0 < due) then due = first + 0 end
end
return ok('rooms', found, due)
