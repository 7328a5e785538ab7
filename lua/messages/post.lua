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
--- @include lib/access
--- @include lib/wake

if idem_ms > 0 then
  --- @include lib/once
  local facts, reused = seen()
  if reused then return reused end
  if facts then return ok('replayed', facts[1] + 0, ttl, mode) end
end
if task == '1' and mode ~= 'claimable' then return refuse('channel_not_claimable') end
if paused == '1' then return refuse('channel_paused', 'retry_after_ms#', 30000) end
local limited = max_writes and max_writes ~= ''
if limited and (redis.call('GET', writes) or 0) + 0 >= max_writes + 0 then
  return refuse('channel_write_rate_exceeded', 'retry_after_ms#', math.max(redis.call('PTTL', writes), 1))
end

-- Unique and increasing within the channel, also when the clock stands still or a failover set it back.
local n = math.max(now, last + 1, math.min(floor, now + 60000000))
local id = string.format('%d', n)
local ring = max_messages and max_messages ~= ''
local length = redis.call('XLEN', log)
if not ring and length >= cap then
  --- @include lib/trim
  drop_gone()
  if redis.call('XLEN', log) >= cap then return refuse('quota_exceeded', 'limit', 'messages_per_channel', 'value#', cap) end
end

redis.call('XADD', log, string.sub(id, 1, -4) .. '-' .. string.sub(id, -3), 'h', head, 'c', content, 'm', metadata)
if mode == 'claimable' then redis.call('ZADD', open, id, id) end
redis.call('HSET', meta, 'last', id)
-- Another retention may have moved the deadline before there was a log.
if length == 0 or deadline * 1000 < n + (ttl + retention) * 1.01 then
  --- @include lib/deadline
  dies_by(n)
end
if limited and redis.call('INCR', writes) == 1 then redis.call('PEXPIRE', writes, 60000) end
local over = ring and length + 1 - math.min(max_messages + 0, cap) or 0
if over > 0 then
  --- @include lib/trim
  drop(redis.call('XRANGE', log, '-', '+', 'COUNT', math.min(over, 64)))
end
if n % 16 == 0 then -- now and then: 64 out for 16 in is more than comes in
  --- @include lib/trim
  drop_gone()
  close_expired()
end
if idem_ms > 0 then
  --- @include lib/once
  remember(id)
end
wake_up('one')
return ok('posted', n, ttl, mode)
