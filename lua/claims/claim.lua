--[[
claims/claim: give one message to one actor, until ack or expiry, or under a lease.

@slot channel
@key meta     hash
@key members  hash
@key log      stream
@key open     zset    a message is claimable only while it is here, or while its record shows a lease that ran out
@key claims   hash
@key leases   zset
@key wake     pubsub
@key idem     string
@arg key      text  who asks
@arg n        int   the message
@arg actor    text  actor id
@arg name     text  actor name
@arg lease_ms int   0: hold until ack or expiry
@arg lease_cap int  most leases of a channel that run
@arg secret   text  made by the replica before it asks: the same one again is the same claim
@arg idem_ms  int
@arg body     text
@ok  claimed               ttl µs, entry, record, 1 if an earlier lease was found to have ended: the actor holds it from now on
@ok  replayed              ttl µs, entry, record: this request took it before and holds it still
@ok  already_claimed       ttl µs, entry, record: asked again by its holder, nothing was written
@ok  already_acknowledged  ttl µs, entry, record
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  message_not_found
@no  message_expired
@no  already_claimed       claimed_by, attempt
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/access

if mode ~= 'claimable' then return refuse('channel_not_claimable') end
local facts, reused = seen()
if reused then return reused end
--- @include lib/message
--- @include lib/wake
if record then
  if facts and held(record) and record.attempt == facts[1] + 0 then return ok('replayed', ttl, entry, pack(record)) end
  if held(record) and record.secret == secret then return ok('claimed', ttl, entry, pack(record), 0) end
  local same = record.actor == actor
  if record.state == 'd' then
    if same then return ok('already_acknowledged', ttl, entry, pack(record)) end
    return refuse('already_claimed', 'claimed_by', record.name, 'state', 'done')
  end
  if held(record) then
    if same and record.lease_until == 0 and lease_ms == 0 then return ok('already_claimed', ttl, entry, pack(record)) end
    return refuse('already_claimed', 'claimed_by', record.name, 'state', 'claimed')
  end
end
local lapsed = record and record.state == 'h'
if not lapsed and not redis.call('ZSCORE', open, int(n)) then return refuse('already_claimed', 'state', 'claimed') end
--- @include lib/lease_room

local r = {
  state = 'h', attempt = (record and record.attempt or 0) + 1, lease_until = lease_ms > 0 and now + lease_ms * 1000 or 0,
  secret = secret, key = key, actor = actor, name = name, claimed_at = now, since = now, acks = record and record.acks or '',
}
redis.call('ZREM', open, int(n))
redis.call('HSET', claims, int(n), pack(r))
if lease_ms > 0 then
  redis.call('ZADD', leases, int(r.lease_until), int(n))
  -- The earliest end of all is news for those who wait.
  if redis.call('ZRANGE', leases, 0, 0)[1] == int(n) then wake_up('one') end
elseif lapsed then
  redis.call('ZREM', leases, int(n))
end
if lapsed then redis.call('HINCRBY', meta, 'leases_ended', 1) end
note_leases()
remember(int(r.attempt))
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. int(n), 'claimed') end
return ok('claimed', ttl, entry, pack(r), lapsed and 1 or 0)
