-- Returns messages whose lease ended without an ack to `open`, at most 32 a call. Writes claims, leases, open,
-- and to meta how many leases have ended so; returns how many these were.
--- @include lib/number
--- @include lib/record
local function reclaim()
  local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', int(now), 'LIMIT', 0, 32)
  if #ended == 0 then return 0 end
  local records = redis.call('HMGET', claims, unpack(ended))
  local changed, opened = {}, {}
  for i, m in ipairs(ended) do
    local r = parse(records[i])
    if r and r.state == 'h' and not held(r) then
      changed[#changed + 1], changed[#changed + 2] = m, open_again(r)
      if m + 0 > dead then opened[#opened + 1], opened[#opened + 2] = m, m end
    end
  end
  if #changed > 0 then
    redis.call('HSET', claims, unpack(changed))
    redis.call('HINCRBY', meta, 'leases_ended', #changed / 2)
  end
  if #opened > 0 then redis.call('ZADD', open, unpack(opened)) end
  redis.call('ZREM', leases, unpack(ended))
  return #changed / 2
end
-- When the earliest running lease ends (µs), 0 if there is none: waiters read again then.
local function next_lease_end()
  local first = redis.call('ZRANGEBYSCORE', leases, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return first[2] and first[2] + 0 or 0
end
