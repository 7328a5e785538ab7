-- When the earliest running lease ends (µs), 0 if there is none: waiters read again then.
local function next_lease_end()
  local first = redis.call('ZRANGEBYSCORE', leases, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  return first[2] and first[2] + 0 or 0
end
