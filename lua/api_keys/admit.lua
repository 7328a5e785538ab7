--[[
api_keys/admit: is this key what it says it is, and within its rate limit? Counts the request, unless it is refused.

@slot key
@flags allow-oom
@key record  hash
@key window  string  requests of the running window
@arg digest  text    SHA-256 of the key that was sent
@arg most    int     requests per window
@arg window_ms int
@ok  admitted  label, scopes or -, actor id, created, used, ms until the window ends
@no  unauthorized
@no  rate_limit_exceeded  retry_after_ms
]]
--- @include lib/answer

local known, label, active, scopes, actor, created = unpack(redis.call('HMGET', record, 'digest', 'label', 'active', 'scopes', 'actor', 'created'))
if known ~= digest or active ~= '1' then return refuse('unauthorized') end
local used, left = (redis.call('GET', window) or 0) + 0, redis.call('PTTL', window)
if used >= most then
  return refuse('rate_limit_exceeded', 'retry_after_ms#', math.max(left, 1), 'limit#', most)
end
used = redis.call('INCR', window)
if used == 1 then
  redis.call('PEXPIRE', window, window_ms)
  left = window_ms
end
return ok('admitted', label, scopes or '-', actor, created, used, left)
