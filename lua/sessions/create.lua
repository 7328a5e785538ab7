--[[
sessions/create: a new session of a key. Removes what has ended, at most 64 a call.

@slot key
@key sessions       hash
@key session_index  zset
@key idem           string
@arg id       text  id of the new session
@arg name     text
@arg metadata long  JSON as it was sent, or empty
@arg state    long  JSON as it was sent, or empty
@arg cap      int   most sessions of a key
@arg idem_ms  int
@arg body     text
@ok  created   when (µs)
@ok  replayed  when (µs), id
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/session

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1] + 0, facts[2]) end
if redis.call('ZCOUNT', session_index, '(' .. int(ended), '+inf') >= cap then
  return refuse('quota_exceeded', 'limit', 'sessions_per_key', 'value#', cap)
end
local over = redis.call('ZRANGEBYSCORE', session_index, '-inf', int(ended), 'LIMIT', 0, 64)
if #over > 0 then
  redis.call('HDEL', sessions, unpack(over))
  redis.call('ZREM', session_index, unpack(over))
end
-- Unique among the key's sessions: it is also where a page goes on.
local newest = redis.call('ZREVRANGE', session_index, 0, 0, 'WITHSCORES')
local created = math.max(now, newest[2] and newest[2] + 1 or 0)
redis.call('HSET', sessions, id, table.concat({ int(created), int(created), '1', name, metadata, state }, '\31'))
redis.call('ZADD', session_index, int(created), id)
for _, key in ipairs({ sessions, session_index }) do redis.call('PEXPIRE', key, LIFE_MS + 60000) end
remember(int(created), id)
return ok('created', created)
