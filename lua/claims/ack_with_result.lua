--[[
claims/ack_with_result: the same as claims/ack, and a result with it, which the message's receipt shows. It needs room, so it is refused at
maxmemory.

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
@arg secret   text  of the lease token that was sent, or empty
@arg result   long
@arg idem_ms  int
@arg body     text
@ok  acknowledged          ttl µs, entry, record, 1 if it was held under a lease; now and then, the longer the result the likelier, also the key
                           that owns the channel, bytes that the channel holds in memory, its deadline (ms)
@ok  replayed              ttl µs, entry, record
@ok  already_acknowledged  ttl µs, entry, record
@ok  full                  the channel's owner holds as much as it may, at least until then (µs); nothing was acknowledged
@ok  look                  it did until now: the key that owns the channel, bytes that the channel holds, its deadline (ms); likewise
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
--- @include lib/ack
