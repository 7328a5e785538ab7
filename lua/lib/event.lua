-- Appends to what happened in the channel: for 24 h, the newest 1,000. `key` did it, to `subject`, by `invitation`; either may be ''.
--- @include lib/number
local function tell(kind, subject, invitation)
  local newest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
  local n = math.max(now, newest and num(newest[1]) + 1 or 0)
  redis.call('XADD', events, 'MAXLEN', '=', 1000, sid(n), 'e', kind, 'k', key, 's', subject, 'i', invitation)
  redis.call('XTRIM', events, 'MINID', '=', sid(now - 86400000000))
  redis.call('PEXPIRE', events, 86400000)
end
