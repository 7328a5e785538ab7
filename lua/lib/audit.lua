-- Appends the event of the args event_id and event to an audit, unless it is among its newest: asked again, it is there once. The audit
-- holds the newest `keep` events, each for keep_ms at most, and vanishes when it has had none for so long.
--- @include lib/number
local function note(audit)
  local newest = redis.call('XREVRANGE', audit, '+', '-', 'COUNT', 16)
  for _, entry in ipairs(newest) do
    if entry[2][2] == event_id then return end
  end
  local n = math.max(now, newest[1] and num(newest[1][1]) + 1 or 0)
  redis.call('XADD', audit, 'MAXLEN', keep, sid(n), 'i', event_id, 'e', event)
  redis.call('XTRIM', audit, 'MINID', '~', sid(math.max(now - keep_ms * 1000, 0)), 'LIMIT', 1000)
  redis.call('PEXPIRE', audit, keep_ms)
end
