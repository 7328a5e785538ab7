--[[
channels/name_take: bind a name of a key to a channel id before that channel is made, or say which channel has the name.

First of two steps: a crash after it leaves a name without a channel, which reads as channel_not_found and which the next create under
this name makes good. With `pin`, retries of one request get the id that its first try got.

@slot key
@key record    hash    the key: a request that was let in just before it was revoked must not leave names without owner
@key channels  hash    the key's channel names
@key owned     zset    the key's channels by when they got their first name (µs)
@key pin       string  request → channel id
@arg name      text
@arg id        text    the id this name gets if it is free
@arg instead_of text   an id that is known to be gone: the name is taken from it; or empty
@arg cap       int     most channels of a key
@arg pin_ms    int     0: the request has no Idempotency-Key
@ok  taken     channel id: the name was free
@ok  bound     channel id: the name had it before, or this request was pinned to it
@no  unauthorized
@no  quota_exceeded
]]
--- @include lib/answer
--- @include lib/place

local pinned = pin_ms > 0 and redis.call('GET', pin)
if pinned and pinned ~= instead_of then return ok('bound', pinned) end
local known = redis.call('HGET', channels, name)
if known and known ~= instead_of then
  if pin_ms > 0 then redis.call('SET', pin, known, 'PX', pin_ms) end
  return ok('bound', known)
end
if redis.call('HGET', record, 'active') ~= '1' then return refuse('unauthorized') end
if not known and redis.call('HLEN', channels) >= cap then
  return refuse('quota_exceeded', 'limit', 'channels_per_key', 'value#', cap)
end
redis.call('HSET', channels, name, id)
if known then redis.call('ZREM', owned, known) end
place(owned, id, now)
if pin_ms > 0 then redis.call('SET', pin, id, 'PX', pin_ms) end
return ok('taken', id)
