-- log, open, leases and claims die together, at the channel's deadline (ms): an index that died before its record would lose tasks.
-- Each of them but log holds a placeholder, so that it stands, with its expiry, also while nothing else is in it.
--- @include lib/settings
-- Moves the deadline to that of a channel whose newest message is `newest`. 2 % more than needed, so that it is moved once in a while only.
local function dies_by(newest)
  deadline = math.ceil((newest + (ttl + retention) * 1.02) / 1000) + 60000
  local at = string.format('%d', deadline)
  redis.call('HSET', meta, 'deadline', at)
  pack_settings()
  redis.call('ZADD', open, 0, '-')
  redis.call('ZADD', leases, '+inf', '-')
  redis.call('HSET', claims, '-', '')
  for _, name in ipairs({ log, open, leases, claims }) do redis.call('PEXPIREAT', name, at) end
end
