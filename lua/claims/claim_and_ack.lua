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
@arg n        text  the message
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
--- @include lib/access
if mode ~= 'claimable' then
  --- @include lib/answer
  return refuse('channel_not_claimable')
end
--- @include lib/first_answer
--- @include lib/message
if facts and record then return cmsgpack.pack({ 'replayed', now, ttl, entry, record }) end
local mine = its_actor == actor
if state == 'd' then
  --- @include lib/answer
  if its_secret == secret then return ok('claimed_and_acked', ttl, entry, record, 0) end
  if mine then return ok('already_acknowledged', ttl, entry, record) end
  return refuse('already_claimed', 'claimed_by', its_name, 'state', 'done')
end
-- What the actor holds without a lease it may finish; a lease is held by one process, which has its token.
local keeps = held and mine and lease_until == 0
if held and not keeps then
  --- @include lib/answer
  return refuse('already_claimed', 'claimed_by', its_name, 'state', 'claimed')
end
local lapsed = state == 'h' and not keeps
if redis.call('ZREM', open, n) == 0 and not keeps and not lapsed then
  --- @include lib/answer
  return refuse('already_claimed', 'state', 'claimed')
end

if not keeps then
  attempt = record and string.format('%d', attempt + 1) or '1'
  its_secret, its_key, its_actor, its_name, claimed_at, since, acks = secret, key, actor, name, now_text, now_text, acks or ''
end
record = 'd\31' .. attempt .. '\0310\31' .. its_secret .. '\31' .. its_key .. '\31' .. its_actor .. '\31' .. its_name .. '\31'
  .. claimed_at .. '\31' .. since .. '\31' .. acks .. actor .. '\31' .. now_text .. '\31' .. name .. '\31'
redis.call('HSET', claims, n, record)
if lapsed then
  redis.call('ZREM', leases, n)
  redis.call('HINCRBY', meta, 'leases_ended', 1)
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  remember(attempt)
end
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. n, 'done') end
return cmsgpack.pack({ 'claimed_and_acked', now, ttl, entry, record, lapsed and 1 or 0 })
