--[[
actors/hook_set: where an actor is pushed what mentions it. Takes the place of what was set before.

@slot key
@key book      hash
@key hooks     hash
@key idem      string
@arg key       text
@arg id        text
@arg url       text
@arg secret    text  or empty
@arg idem_ms   int
@arg body      text
@ok  set       set at (µs)
@ok  replayed  set at (µs)
@no  actor_not_found
@no  actor_forbidden
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/actor
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1] + 0) end
redis.call('HSET', hooks, id, url .. '\31' .. secret .. '\31' .. int(now))
remember(int(now))
return ok('set', now)
