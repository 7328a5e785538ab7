--[[
access_requests/request: ask to be let into a restricted channel. Asking again while nobody has answered is the same request.

@slot channel
@key meta     hash
@key members  hash
@key requests hash  key id → its request that waits for an answer: id, asked at (µs), label, reason, joined by \31
@key idem     string
@arg key      text  who asks
@arg id       text  the id that a new request gets
@arg label    text
@arg reason   text  or empty
@arg cap      int   most requests of a channel that wait
@arg idem_ms  int
@arg body     text
@ok  open            nobody needs to ask
@ok  already_member
@ok  pending   request id
@ok  replayed  the first answer's word, request id or empty
@no  channel_not_found
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/channel
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1], facts[2] or '') end
local known
local word = 'pending'
if not restricted then
  word = 'open'
elseif redis.call('HEXISTS', members, key) == 1 then
  word = 'already_member'
else
  known = redis.call('HGET', requests, key)
  if known then id = string.match(known, '^[^\31]*') end
end
if word ~= 'pending' then
  remember(word)
  return ok(word)
end
if not known then
  if redis.call('HLEN', requests) >= cap then
    return refuse('quota_exceeded', 'limit', 'access_requests_per_channel', 'value#', cap)
  end
  redis.call('HSET', requests, key, table.concat({ id, int(now), label, reason }, '\31'))
end
remember(word, id)
return ok(word, id)
