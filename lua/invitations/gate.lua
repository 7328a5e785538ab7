--[[
invitations/gate: may this client address look up an invitation now? Counts the attempt, unless it is refused.

@slot address
@key lookups   string  attempts of the running window
@arg most      int     per window
@arg window_ms int
@ok  open
@no  rate_limit_exceeded  retry_after_ms
]]
--- @include lib/answer

if (redis.call('GET', lookups) or 0) + 0 >= most then
  return refuse('rate_limit_exceeded', 'retry_after_ms#', math.max(redis.call('PTTL', lookups), 1))
end
if redis.call('INCR', lookups) == 1 then redis.call('PEXPIRE', lookups, window_ms) end
return ok('open')
