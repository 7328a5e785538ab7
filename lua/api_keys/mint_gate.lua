--[[
api_keys/mint_gate: may this client address mint a key now? Counts the attempt.

@slot mint
@key closed  string  present while minting is closed
@key window  string  attempts of this address
@arg most    int     per window; 0: no limit
@arg window_ms int
@ok  open
@no  minting_closed
@no  rate_limit_exceeded  retry_after_ms
]]
--- @include lib/answer

if redis.call('EXISTS', closed) == 1 then return refuse('minting_closed') end
if most > 0 then
  if (redis.call('GET', window) or 0) + 0 >= most then
    return refuse('rate_limit_exceeded', 'retry_after_ms#', math.max(redis.call('PTTL', window), 1))
  end
  if redis.call('INCR', window) == 1 then redis.call('PEXPIRE', window, window_ms) end
end
return ok('open')
