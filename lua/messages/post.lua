--[[
messages/post: append one message to a channel, put it up for claiming, wake the waiters.

@slot channel
@key meta     hash    the channel, and how many messages the running minute had
@key members  hash    who may use a restricted one
@key log      stream  the message goes here
@key open     zset    and here, if it can be claimed
@key claims   hash    trimmed
@key leases   zset    trimmed
@key outbox   stream  what is to be pushed to webhooks
@key wake     pubsub
@key idem     string  first answer of this request
@arg head     text    key that posts, actor id, actor name, label, joined by \31; where its request is traced, a traceparent behind them
@arg content  long
@arg metadata long    JSON as it was sent, or empty
@arg floor    int     a new number is not below this, within 60 s of now
@arg cap      int     most messages of any channel: a ring drops its oldest, another channel takes no more
@arg cap_bytes int    most memory that the log of any channel may take, likewise
@arg task     text    1: only if the channel is claimable
@arg schema   text    fingerprint of the metadata_schema that the metadata was checked under and fits; empty: none
@arg mentions long    actors that it mentions: id, name, key, 1 if it has a webhook, each ended by \31; - if none of them is known
@arg idem_ms  int     life of the first answer, 0: none is kept
@arg body     text    hash of the request's body
@ok  posted    number, ttl µs; where it mentions or pushes also 1 if there is something in the outbox; where it mentions also those mentioned who
               may read it: id, name, each ended by \31. Now and then, the longer the message the likelier, behind these four: the key that owns
               the channel, bytes that the channel holds in memory, its deadline (ms)
@ok  replayed  number, ttl µs; where it mentions also 0, and those mentioned
@ok  schema_changed  fingerprint and text of the schema that it is to be checked under; nothing was written
@ok  full      the channel's owner holds as much as it may, at least until then (µs); nothing was posted
@ok  look      it did until now: the key that owns the channel, bytes that the channel holds, its deadline (ms); nothing was posted
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  channel_paused             retry_after_ms
@no  channel_write_rate_exceeded  retry_after_ms
@no  quota_exceeded
@no  webhook_backlog_full       retry_after_ms
@no  idempotency_key_reused
]]
--- @include lib/channel
if restricted then
  local key = string.match(head, '^[^\31]+')
  --- @include lib/access
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  local facts, reused = seen()
  if reused then return reused end
  if facts and mentions ~= '' then -- who might read it then stands in the message
    local entry = redis.call('XRANGE', log, facts[1], facts[1])[1]
    return ok('replayed', facts[1] + 0, ttl, 0, entry and entry[2][7] == 't' and entry[2][8] or '')
  end
  if facts then return ok('replayed', facts[1] + 0, ttl) end
end
if paused or task == '1' and mode ~= 'claimable' then
  --- @include lib/answer
  if task == '1' and mode ~= 'claimable' then return refuse('channel_not_claimable') end
  return refuse('channel_paused', 'retry_after_ms#', 30000)
end
--- @include lib/full
if schema_rev and schema_rev ~= schema then
  --- @include lib/answer
  return ok('schema_changed', schema_rev, redis.call('HGET', meta, 'metadata_schema'))
end
if max_writes then
  --- @include lib/answer
  --- @include lib/minute
  if count >= max_writes then return refuse('channel_write_rate_exceeded', 'retry_after_ms#', rest_ms()) end
end
-- How full it is is looked at in rings, and else only near a cap; every 32nd post finds out whether it is near (below).
local NEAR = 1000
local length = (max_messages or crowded or cap <= 2 * NEAR) and redis.call('XLEN', log) or 0
local bytes = (crowded or cap_bytes <= 1048576) and redis.call('MEMORY', 'USAGE', log) or 0
if (length >= cap or bytes > cap_bytes) and not max_messages then
  --- @include lib/answer
  --- @include lib/trim
  drop_gone()
  if redis.call('XLEN', log) >= cap then return refuse('quota_exceeded', 'limit', 'messages_per_channel', 'value#', cap) end
  if bytes > cap_bytes and (redis.call('MEMORY', 'USAGE', log) or 0) > cap_bytes then
    return refuse('quota_exceeded', 'limit', 'bytes_per_channel', 'value#', cap_bytes)
  end
end

local to, pushes
if mentions ~= '' then
  --- @include lib/mentions
end
local waiting
if hooked or pushes then
  --- @include lib/outbox_room
end

-- Unique and increasing within the channel, also when the clock stands still or a failover set it back: the log takes no number that is not
-- above all it was ever given.
local n, id = now, now_text
if floor > now then
  n = math.min(floor, now + 60000000)
  id = string.format('%d', n)
end
local added
if to then
  added = redis.pcall('XADD', log, 'NOMKSTREAM', id, 'h', head, 'c', content, 'm', metadata, 't', to)
else
  added = redis.pcall('XADD', log, 'NOMKSTREAM', id, 'h', head, 'c', content, 'm', metadata)
end
local no_log = not added
if type(added) ~= 'string' then
  if added then -- an error: it was given that number, or a higher one
    --- @include lib/last
    n = last_number() + 1
    id = int(n)
  end
  redis.call('XADD', log, id, 'h', head, 'c', content, 'm', metadata, unpack(to and { 't', to } or {}))
end
if mode == 'claimable' then redis.call('ZADD', open, id, id) end
if no_log or deadline * 1000 < n + (ttl + retention) * 1.01 then
  --- @include lib/deadline
  dies_by(n)
end
if max_writes then
  --- @include lib/minute
  count_one()
end
local over = max_messages and (bytes > cap_bytes and 64 or length + 1 - math.min(max_messages, cap)) or 0
if over > 0 then
  --- @include lib/trim
  local pushed_out = redis.call('XRANGE', log, '-', '+', 'COUNT', math.min(over, 64, length))
  drop(pushed_out)
  if watched and watched > now then
    for _, e in ipairs(pushed_out) do redis.pcall('SPUBLISH', wake .. ':' .. digits(e[1]), 'dropped') end
  end
end
if n % 32 == 0 then -- now and then: 64 out for 32 in is more than comes in
  --- @include lib/trim
  drop_gone()
  close_expired()
end
-- Each 32nd post, each one of 32 KiB: a channel takes about 32 KiB more, or 32 messages, before it is looked at.
local told
if n % 32 * 1024 <= #content + #metadata then
  --- @include lib/in_memory
  local near = crowded
  if n % 32 == 0 then near = redis.call('XLEN', log) > cap - NEAR or of_log > cap_bytes * 0.9 end
  if near ~= crowded then
    --- @include lib/settings
    redis.call('HSET', meta, 'crowded', near and '1' or '0')
    pack_settings()
  end
  told = { 'posted', now, n, ttl, (hooked or pushes) and 1 or 0, to or '', owner, in_memory, deadline }
end
if hooked or pushes then
  if hooked then redis.call('XADD', outbox, '*', 'e', 'message.created\31' .. id .. '\31\31') end
  for _, actor in ipairs(pushes or {}) do redis.call('XADD', outbox, '*', 'e', 'mention\31' .. id .. '\31' .. actor .. '\31') end
  --- @include lib/outbox
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  remember(id)
end
-- What lib/wake and lib/answer do, without functions: each that a script makes costs Redis about as much as a call.
if #content + #metadata > 4096 then
  redis.pcall('SPUBLISH', wake, 'one')
elseif redis.pcall('SPUBLISH', wake, 'more') ~= 0 then
  --- @include lib/carry
end
if told then return cmsgpack.pack(told) end
if to then return cmsgpack.pack({ 'posted', now, n, ttl, (hooked or pushes) and 1 or 0, to }) end
-- A list costs more than a call does.
if hooked then return struct.pack('<Bdddd', 0xc1, now, n, ttl, 1) end
return struct.pack('<Bddd', 0xc1, now, n, ttl)
