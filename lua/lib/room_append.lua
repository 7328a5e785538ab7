-- Appends to the room's log and wakes everybody; answers the index. The room ends when it has max_messages; what is in it is read for a few
-- seconds more. The log's entry is the index + 1, since a stream has no 0. Where somebody listens, a short entry comes along (lib/room_carry).
--- @include lib/number
local function append(kind, from, text)
  length = redis.call('HINCRBY', room, 'length', 1)
  local at = string.format('%d', now / 1000)
  redis.call('XADD', log, int(length) .. '-0', 'k', kind, 'a', at, 'f', from, 'x', text)
  if length >= max_messages then
    redis.call('HSET', room, 'reason', 'max_messages', 'over_at', int(now))
    redis.call('PEXPIRE', log, 6000)
    redis.call('PEXPIRE', people, 6000)
  end
  if length >= max_messages or #text > 8192 then
    redis.pcall('SPUBLISH', wake, 'all')
  elseif redis.pcall('SPUBLISH', wake, 'more') ~= 0 then
    --- @include lib/room_carry
  end
  return length - 1
end
