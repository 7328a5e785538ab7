--[[
claims/claim_and_ack: give one message to one actor and say that it is done, in one step.

@slot channel
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
@arg actor    text  actor id
@arg name     text  actor name
@arg secret   text  made by the replica before it asks: the same one again is the same request
@arg idem_ms  int
@arg body     text
@ok  claimed_and_acked     ttl µs, entry, record, 1 if an earlier lease was found to have ended
@ok  replayed              ttl µs, entry, record
@ok  already_acknowledged  ttl µs, entry, record: asked again by its actor, nothing was written
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  message_not_found
@no  message_expired
@no  already_claimed       claimed_by, state
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/access

if mode ~= 'claimable' then return refuse('channel_not_claimable') end
local facts, reused = seen()
if reused then return reused end
--- @include lib/message
if facts and record then return ok('replayed', ttl, entry, pack(record)) end
local mine = record and record.actor == actor
if record and record.state == 'd' then
  if record.secret == secret then return ok('claimed_and_acked', ttl, entry, pack(record), 0) end
  if mine then return ok('already_acknowledged', ttl, entry, pack(record)) end
  return refuse('already_claimed', 'claimed_by', record.name, 'state', 'done')
end
-- What the actor holds without a lease it may finish; a lease is held by one process, which has its token.
local keeps = held(record) and mine and record.lease_until == 0
if held(record) and not keeps then return refuse('already_claimed', 'claimed_by', record.name, 'state', 'claimed') end
local lapsed = record and record.state == 'h' and not keeps
if not keeps and not lapsed and not redis.call('ZSCORE', open, int(n)) then
  return refuse('already_claimed', 'state', 'claimed')
end

local r = keeps and record or {
  attempt = (record and record.attempt or 0) + 1, secret = secret, key = key, actor = actor, name = name, claimed_at = now, since = now,
  acks = record and record.acks or '',
}
r.state, r.lease_until = 'd', 0
r.acks = r.acks .. actor .. '\31' .. int(now) .. '\31' .. name .. '\31'
redis.call('ZREM', open, int(n))
redis.call('ZREM', leases, int(n))
redis.call('HSET', claims, int(n), pack(r))
if lapsed then redis.call('HINCRBY', meta, 'leases_ended', 1) end
remember(int(r.attempt))
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. int(n), 'done') end
return ok('claimed_and_acked', ttl, entry, pack(r), lapsed and 1 or 0)
