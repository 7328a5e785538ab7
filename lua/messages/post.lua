--[[
messages/post: append one message to a channel, put it up for claiming, wake the waiters.

@slot channel
@key meta     hash    the channel
@key members  hash    who may use a restricted one
@key log      stream  the message goes here
@key open     zset    and here, if it can be claimed
@key claims   hash    trimmed
@key leases   zset    trimmed
@key retracted zset   trimmed
@key writes   string  writes of the running minute
@key idem     string  first answer of this request
@key wake     pubsub
@arg key      text    who posts: key id
@arg floor    int     a new number is not below this, within 60 s of now
@arg task     text    1: only if the channel is claimable
@arg head     text    key, actor id, actor name, label, joined by \31
@arg content  text
@arg metadata text    JSON as it was sent, or empty
@arg cap      int     most messages of any channel: a ring drops its oldest, another channel takes no more
@arg idem_ms  int     life of the first answer, 0: none is kept
@arg body     text    hash of the request's body
@ok  posted    number, ttl µs, mode
@ok  replayed  number, ttl µs, mode
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  channel_paused             retry_after_ms
@no  channel_write_rate_exceeded  retry_after_ms
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/access
--- @include lib/number
--- @include lib/deadline
--- @include lib/trim
--- @include lib/wake

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1] + 0, ttl, mode) end
if task == '1' and mode ~= 'claimable' then return refuse('channel_not_claimable') end

local paused, most, per_minute = unpack(redis.call('HMGET', meta, 'paused', 'max_messages', 'max_writes_per_minute'))
if paused == '1' then return refuse('channel_paused', 'retry_after_ms#', 30000) end
if per_minute and per_minute ~= '' and (redis.call('GET', writes) or 0) + 0 >= per_minute + 0 then
  return refuse('channel_write_rate_exceeded', 'retry_after_ms#', math.max(redis.call('PTTL', writes), 1))
end
most = most and most ~= '' and math.min(most + 0, cap) -- the operator's cap bounds a ring as well
local length = redis.call('XLEN', log)
if not most and length >= cap then
  drop_gone()
  length = redis.call('XLEN', log)
  if length >= cap then return refuse('quota_exceeded', 'limit', 'messages_per_channel', 'value#', cap) end
end

-- Unique and increasing within the channel, also when the clock stands still or a failover set it back.
local n = math.max(now, last + 1, math.min(floor, now + 60000000))
redis.call('XADD', log, sid(n), 'h', head, 'c', content, 'm', metadata)
if mode == 'claimable' then
  redis.call('ZADD', open, int(n), int(n))
end
redis.call('HSET', meta, 'last', int(n))
if length == 0 or deadline * 1000 < n + (ttl + retention) * 1.01 then
  dies_by(n)
elseif mode == 'claimable' and redis.call('ZCARD', open) == 1 then
  dies_with_channel(open)
end
if per_minute and per_minute ~= '' and redis.call('INCR', writes) == 1 then redis.call('PEXPIRE', writes, 60000) end
if most and length + 1 > most then
  drop(redis.call('XRANGE', log, '-', '+', 'COUNT', math.min(length + 1 - most, 64)))
elseif n % 16 == 0 then -- now and then: 64 out for 16 in is more than comes in
  drop_gone()
  close_expired()
end
remember(int(n))
wake_up('one')
return ok('posted', n, ttl, mode)
