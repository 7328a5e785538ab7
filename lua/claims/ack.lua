--[[
claims/ack: say that a message is done. Claimable: its holder only, and it never comes back. Broadcast: anyone who can read, once an actor.

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
@arg name     text  actor name
@arg secret   text  of the lease token that was sent, or empty
@arg idem_ms  int
@arg body     text
@ok  acknowledged          ttl µs, entry, record, 1 if it was held under a lease
@ok  replayed              ttl µs, entry, record
@ok  already_acknowledged  ttl µs, entry, record
@no  channel_not_found
@no  channel_access_denied
@no  message_not_found
@no  message_expired
@no  lease_lost        attempt, state
@no  not_claimed
@no  already_claimed   claimed_by
@no  too_many_acks
@no  idempotency_key_reused
]]
local result
--- @include lib/ack
