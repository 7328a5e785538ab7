--[[
jobs/put: put one job into a queue because somebody asked for it: a replay or a test.

@slot jobs
@key jobs     stream
@key bundled  string  jobs of the stream that are no entries of their own
@key retries  zset
@key idem     string
@arg most     int   jobs that the queue holds
@arg job      text
@arg id       text  of the delivery
@arg idem_ms  int
@arg body     text
@ok  put       id
@ok  replayed  id
@no  overloaded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1]) end
local waiting
--- @include lib/queued
if waiting + redis.call('ZCARD', retries) >= most then return refuse('overloaded', 'retry_after_ms#', 30000) end
redis.call('XADD', jobs, '*', 'j', job)
redis.call('PERSIST', jobs)
remember(id)
return ok('put', id)
