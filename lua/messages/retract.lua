--[[
messages/retract: take back a message that nobody holds. Its content is gone at once.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@key retracted zset  that it was: its number, nothing else
@key wake     pubsub
@key idem     string
@arg key      text  who asks: the poster or the channel's owner
@arg n        text  the message
@arg idem_ms  int
@arg body     text
@ok  retracted   the key that owns the channel, bytes that the channel holds in memory now, its deadline (ms)
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  message_not_found
@no  message_expired
@no  message_claimed
@no  forbidden
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/access
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
--- @include lib/message
local poster = string.match(entry[2][2], '^[^\31]*')
if key ~= poster and key ~= redis.call('HGET', meta, 'owner') then return refuse('forbidden') end
if state == 'd' or held then return refuse('message_claimed') end

redis.call('ZADD', retracted, n, n)
local gone = redis.call('ZRANGEBYSCORE', retracted, '-inf', int(gone_by), 'LIMIT', 0, 64)
if #gone > 0 then redis.call('ZREM', retracted, unpack(gone)) end
redis.call('PEXPIREAT', retracted, int((math.max(n + 0, now) + ttl + retention) / 1000))
--- @include lib/forget
redis.call('HDEL', claims, n)
forget_results({ n })
redis.call('XDEL', log, n)
redis.call('ZREM', open, n)
redis.call('ZREM', leases, n)
remember()
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. n, 'retracted') end
--- @include lib/in_memory
return ok('retracted', owner, in_memory, deadline)
