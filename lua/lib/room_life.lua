-- Reads the room into locals, and where it is in its life by Redis' time alone: `state` is awake, asleep or over (with `reason`, `over_at`). Ends
-- the script with `unknown` where there is no room, or it ended more than a day ago. Takes the args idle_ms and hibernate_ms. The record's `apart`:
-- entries of the log that are no texts, less the texts of before it last fell asleep; so `length - apart` is how many were ever sent, and a send reads
-- and writes nothing of it.
--
-- `life` holds what every call reads, as one field, since each field costs: the end of the lifetime (0: it ended before, and the record says why and
-- when), when the room was last used, and the digest of its token.
local record = redis.call('HMGET', room, 'life', 'length')
if not record[1] then return { 'unknown', now } end
local ends, seen = struct.unpack('<dd', record[1])
local digest, length = string.sub(record[1], 17), record[2] + 0
-- `seen` is written once a step only, so the room lives a step longer than it says.
local step = math.min(1000000, idle_ms * 50)
local asleep_at = seen + idle_ms * 1000 + step
local dead_at = asleep_at + hibernate_ms * 1000
local state, reason, over_at = 'awake'
if ends == 0 then
  state, reason, over_at = 'over', unpack(redis.call('HMGET', room, 'reason', 'over_at'))
  over_at = over_at + 0
elseif ends <= now and ends <= dead_at then
  state, reason, over_at = 'over', 'max_lifetime', ends
elseif dead_at <= now then
  state, reason, over_at = 'over', 'hibernate_expired', dead_at
elseif asleep_at <= now then
  state = 'asleep'
end
if state == 'over' and now - over_at >= 86400000000 then return { 'unknown', now } end
