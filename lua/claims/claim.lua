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
@arg n        text  the message
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
--- @include lib/access
if mode ~= 'claimable' then
  --- @include lib/answer
  return refuse('channel_not_claimable')
end
--- @include lib/first_answer
--- @include lib/message
if record then
  --- @include lib/answer
  if facts and held and attempt == facts[1] then return ok('replayed', ttl, entry, record) end
  if held and its_secret == secret then return ok('claimed', ttl, entry, record, 0) end
  if state == 'd' then
    if its_actor == actor then return ok('already_acknowledged', ttl, entry, record) end
    return refuse('already_claimed', 'claimed_by', its_name, 'state', 'done')
  end
  if held then
    if its_actor == actor and lease_until == 0 and lease_ms == 0 then return ok('already_claimed', ttl, entry, record) end
    return refuse('already_claimed', 'claimed_by', its_name, 'state', 'claimed')
  end
end
local lapsed = state == 'h'
local running = false
if lease_ms > 0 then
  --- @include lib/lease_room
  if running and running >= lease_cap then
    --- @include lib/answer
    if not lapsed and not redis.call('ZSCORE', open, n) then return refuse('already_claimed', 'state', 'claimed') end
    return refuse('quota_exceeded', 'limit', 'leases_per_channel', 'value#', lease_cap)
  end
end
if not lapsed and redis.call('ZREM', open, n) == 0 then
  --- @include lib/answer
  return refuse('already_claimed', 'state', 'claimed')
end

attempt = record and string.format('%d', attempt + 1) or '1'
local ends = lease_ms > 0 and string.format('%d', now + lease_ms * 1000) or '0'
record = 'h\31' .. attempt .. '\31' .. ends .. '\31' .. secret .. '\31' .. key .. '\31' .. actor .. '\31' .. name .. '\31'
  .. now_text .. '\31' .. now_text .. '\31' .. (acks or '')
redis.call('HSET', claims, n, record)
if lease_ms > 0 then
  redis.call('ZADD', leases, ends, n)
  -- The earliest end of all is news for those who wait.
  if redis.call('ZCOUNT', leases, '-inf', ends) == 1 then redis.pcall('SPUBLISH', wake, 'one') end
elseif lapsed then
  redis.call('ZREM', leases, n)
end
if lapsed then
  redis.call('ZREM', open, n)
  redis.call('HINCRBY', meta, 'leases_ended', 1)
end
if running then
  --- @include lib/lease_note
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  remember(attempt)
end
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. n, 'claimed') end
return cmsgpack.pack({ 'claimed', now, ttl, entry, record, lapsed and 1 or 0 })
