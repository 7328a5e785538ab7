--[[
sessions/update: put new values in the place of a session's, if it still has the revision that they were made from.

@slot key
@key sessions  hash
@key idem      string
@arg id        text
@arg rev       int   revision that was read
@arg name      text
@arg metadata  long  JSON, or empty
@arg state     long  JSON, or empty
@arg idem_ms   int
@arg body      text
@ok  updated   record
@ok  changed   record: somebody else was faster, nothing was written
@ok  replayed  record
@no  session_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/session

local facts, reused = seen()
if reused then return reused end
local record, created, current = find(id)
if not record then return refuse('session_not_found') end
if facts then return ok('replayed', record) end
if current ~= rev then return ok('changed', record) end
record = table.concat({ created, int(now), int(rev + 1), name, metadata, state }, '\31')
redis.call('HSET', sessions, id, record)
remember('1')
return ok('updated', record)
