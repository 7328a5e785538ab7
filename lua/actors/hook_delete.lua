--[[
actors/hook_delete: nothing is pushed for an actor any more.

@slot key
@flags allow-oom
@key book      hash
@key hooks     hash
@key idem      string
@arg key       text
@arg id        text
@arg idem_ms   int
@arg body      text
@ok  deleted
@ok  replayed
@no  actor_not_found
@no  actor_forbidden
@no  webhook_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/actor

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
if redis.call('HDEL', hooks, id) == 0 then return refuse('webhook_not_found') end
remember('1')
return ok('deleted')
