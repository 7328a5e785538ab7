-- Returns messages whose lease ended without an ack to `open`, at most 32 a call. Writes claims, leases, open, and to meta how many leases have
-- ended so; how many these were goes into `ended`, a local of the caller. Records are as lib/record has them.
local over = redis.call('ZRANGEBYSCORE', leases, '-inf', now_text, 'LIMIT', 0, 32)
ended = 0
if over[1] then
  local records = redis.call('HMGET', claims, unpack(over))
  local changed, opened = {}, {}
  for i, m in ipairs(over) do
    local state, attempt, lease_until, acks = string.match(records[i] or '',
      '^(%a)\31(%d+)\31(%d+)\31[^\31]*\31[^\31]*\31[^\31]*\31[^\31]*\31%d+\31%d+\31(.*)$')
    if state == 'h' and lease_until ~= '0' and lease_until + 0 <= now then
      changed[#changed + 1], changed[#changed + 2] = m, 'o\31' .. attempt .. '\0310\31\31\31\31\0310\0310\31' .. acks
      if m + 0 > dead then opened[#opened + 1], opened[#opened + 2] = m, m end
    end
  end
  ended = #changed / 2
  if ended > 0 then
    redis.call('HSET', claims, unpack(changed))
    redis.call('HINCRBY', meta, 'leases_ended', ended)
  end
  if #opened > 0 then redis.call('ZADD', open, unpack(opened)) end
  redis.call('ZREM', leases, unpack(over))
end
