-- Appends to the room's log and wakes everybody: the locals `kind`, `from`, `text`. No function, since making one costs Redis as much as a call.
-- `length` is one more then, and has been written by the caller with `count`, its text; so one write does for all fields of the record. The room
-- ends when it has max_messages; what is in it is read for a few seconds more. The log's entry is the index + 1, since a stream has no 0. Where
-- somebody listens, a short entry comes along (lib/room_carry).
local at = string.sub(now_text, 1, -4)
redis.call('XADD', log, count, 'k', kind, 'a', at, 'f', from, 'x', text)
if length >= max_messages then
  redis.call('HSET', room, 'life', struct.pack('<dd', 0, seen) .. digest, 'reason', 'max_messages', 'over_at', now_text)
  redis.call('PEXPIRE', log, 6000)
  redis.call('PEXPIRE', people, 6000)
end
if length >= max_messages or #text > 8192 then
  redis.pcall('SPUBLISH', wake, 'all')
elseif redis.pcall('SPUBLISH', wake, 'more') ~= 0 then
  --- @include lib/room_carry
end
