--[[
claims/release: the holder gives a message back; it can be claimed again at once.

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
@arg n        text  the message
@arg actor    text  actor id
@arg secret   text  of the lease token that was sent, or empty
@arg idem_ms  int
@arg body     text
@ok  released  ttl µs, entry, record, 1 if it was held under a lease
@ok  replayed  ttl µs, entry, record
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  message_not_found
@no  message_expired
@no  lease_lost   attempt, state
@no  not_claimed
@no  forbidden
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/access
if mode ~= 'claimable' then return refuse('channel_not_claimable') end
--- @include lib/first_answer
--- @include lib/message
if facts and record then return ok('replayed', ttl, entry, record) end
if secret ~= '' and not (held and its_secret == secret and its_key == key) then
  return refuse('lease_lost', 'attempt#', (attempt or 0) + 0, 'state', held and 'claimed' or state == 'd' and 'done' or 'open')
end
if not held then return refuse('not_claimed') end
-- The token of the running lease is proof enough; without one the actor has to be the holder.
if secret == '' and its_actor ~= actor then return refuse('forbidden', 'claimed_by', its_name) end

record = 'o\31' .. attempt .. '\0310\31\31\31\31\0310\0310\31' .. acks
redis.call('HSET', claims, n, record)
if lease_until > 0 then redis.call('ZREM', leases, n) end
redis.call('ZADD', open, n, n)
if idem_ms > 0 then
  --- @include lib/once
  remember(attempt)
end
redis.pcall('SPUBLISH', wake, 'one')
return ok('released', ttl, entry, record, lease_until > 0 and 1 or 0)
