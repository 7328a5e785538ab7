--[[
claims/heartbeat: move the end of a running lease. Twelve hours after the claim no heartbeat helps.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@key wake     pubsub
@key idem     string
@arg key      text  who asks
@arg n        int   the message
@arg secret   text  of the lease token
@arg lease_ms int   from now
@arg idem_ms  int
@arg body     text
@ok  extended  ttl µs, entry, record
@ok  replayed  ttl µs, entry, record, lease end of the first answer
@no  lease_expired
@no  channel_access_denied
@no  message_expired
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/number
--- @include lib/record

-- A token may name a channel or message that never was: one answer for all that is not a running lease of the caller.
if redis.call('EXISTS', meta) == 0 then return refuse('lease_expired') end
--- @include lib/access
local MOST = 12 * 3600 * 1000000
local facts, reused = seen()
if reused then return reused end
local entry = redis.call('XRANGE', log, sid(n), sid(n))[1]
local r = parse(redis.call('HGET', claims, int(n)))
if not entry or not held(r) or r.lease_until == 0 or r.secret ~= secret or r.key ~= key then return refuse('lease_expired') end
if n <= dead then return refuse('message_expired') end
if facts and r.attempt == facts[1] + 0 then return ok('replayed', ttl, entry, pack(r), facts[2] + 0) end

r.lease_until = math.min(now + lease_ms * 1000, r.since + MOST)
if r.lease_until <= now then return refuse('lease_expired') end
--- @include lib/wake
redis.call('HSET', claims, int(n), pack(r))
redis.call('ZADD', leases, int(r.lease_until), int(n))
-- A lease made shorter may now end first of all.
if redis.call('ZRANGE', leases, 0, 0)[1] == int(n) then wake_up('one') end
remember(int(r.attempt), int(r.lease_until))
return ok('extended', ttl, entry, pack(r))
