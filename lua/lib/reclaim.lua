-- Returns messages whose lease ended without an ack to `open`, at most 64 a call. Writes claims, leases, open; returns how many.
--- @include lib/number
--- @include lib/record
local function reclaim()
  local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', int(now), 'LIMIT', 0, 64)
  if #ended == 0 then return 0 end
  local records = redis.call('HMGET', claims, unpack(ended))
  for i, m in ipairs(ended) do
    local r = parse(records[i])
    if r and r.state == 'h' and not held(r) then
      redis.call('HSET', claims, m, open_again(r))
      if m + 0 > dead then redis.call('ZADD', open, m, m) end
    end
  end
  redis.call('ZREM', leases, unpack(ended))
  return #ended
end
-- When the earliest running lease ends (µs), 0 if there is none: waiters read again then.
local function next_lease_end()
  local first = redis.call('ZRANGEBYSCORE', leases, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return first[2] and first[2] + 0 or 0
end
