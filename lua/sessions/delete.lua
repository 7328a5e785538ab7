--[[
sessions/delete: end a session.

@slot key
@flags allow-oom
@key sessions       hash
@key session_index  zset
@key idem           string
@arg id        text
@arg idem_ms   int
@arg body      text
@ok  deleted
@ok  replayed
@no  session_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/session

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
if not find(id) then return refuse('session_not_found') end
redis.call('HDEL', sessions, id)
redis.call('ZREM', session_index, id)
remember('1')
return ok('deleted')
