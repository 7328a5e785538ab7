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
@arg n        int   the message
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
--- @include lib/once
--- @include lib/access

if mode ~= 'claimable' then return refuse('channel_not_claimable') end
local facts, reused = seen()
if reused then return reused end
--- @include lib/message
--- @include lib/wake
if facts and record then return ok('replayed', ttl, entry, pack(record)) end
if secret ~= '' and not (held(record) and record.secret == secret and record.key == key) then
  local state = held(record) and 'claimed' or record and record.state == 'd' and 'done' or 'open'
  return refuse('lease_lost', 'attempt#', record and record.attempt or 0, 'state', state)
end
if not held(record) then return refuse('not_claimed') end
-- The token of the running lease is proof enough; without one the actor has to be the holder.
if secret == '' and record.actor ~= actor then return refuse('forbidden', 'claimed_by', record.name) end

local leased = record.lease_until > 0
local text = open_again(record)
redis.call('HSET', claims, int(n), text)
redis.call('ZREM', leases, int(n))
redis.call('ZADD', open, int(n), int(n))
remember(int(record.attempt))
wake_up('one')
return ok('released', ttl, entry, text, leased and 1 or 0)
