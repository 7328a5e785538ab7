-- Until when (µs) the channel may have been used: made, changed, or posted to. The deadline is at least 1.01 × (ttl + retention) above the
-- newest message that there ever was (messages/post), so this is never too early, and a hundredth of that and a minute too late at most.
local function used_until()
  local created, updated = unpack(redis.call('HMGET', meta, 'created', 'updated'))
  return math.floor(math.max(created + 0, updated + 0, deadline * 1000 - (ttl + retention) * 1.01))
end
