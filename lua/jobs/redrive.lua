--[[
jobs/redrive: put dead letters of one webhook into its queue again, as many as it takes, each once, however many ask for it.

@slot jobs
@key jobs     stream
@key bundled  string  jobs of the stream that are no entries of their own
@key retries  zset
@key redriven  zset   dead letters of this webhook that were put here within the last hour, by when (ms)
@key idem     string
@arg most     int   jobs that the queue holds
@arg all      int   dead letters that the webhook has
@arg idem_ms  int
@arg body     text
@rest         id and time of the letter, job of each; at most 100
@ok  redriven  how many of those that were given are in the queue now, how many are left
@ok  replayed  the same
@no  overloaded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1] + 0, facts[2] + 0) end
local waiting
--- @include lib/queued
local room = most - waiting - redis.call('ZCARD', retries)
local taken = math.min(#rest / 2, room)
if #rest > 0 and taken < 1 then return refuse('overloaded', 'retry_after_ms#', 30000) end
local ms = math.floor(now / 1000)
for i = 1, taken * 2, 2 do
  if redis.call('ZADD', redriven, 'NX', ms, rest[i]) == 1 then redis.call('XADD', jobs, '*', 'j', rest[i + 1]) end
end
if taken > 0 then
  redis.call('ZREMRANGEBYSCORE', redriven, '-inf', ms - 3600000)
  redis.call('ZREMRANGEBYRANK', redriven, 0, -1001)
  redis.call('PEXPIRE', redriven, 3600000)
  redis.call('PERSIST', jobs)
end
remember(taken, all - taken)
return ok('redriven', taken, all - taken)
