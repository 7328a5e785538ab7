--[[
channels/delete: everything of a channel is gone at once; waiters are told. Answers what its names are, so that they can be freed.

@slot channel
@flags allow-oom
@key meta      hash
@key members   hash
@key roster    zset
@key log       stream
@key open      zset
@key claims    hash
@key leases    zset
@key retracted zset
@key requests  hash
@key invites   hash
@key events    stream
@key outbox    stream
@key gone      string
@key wake      pubsub
@key idem      string
@arg key       text  who asks
@arg idem_ms   int
@arg body      text
@ok  deleted   name, aliases each ended by \31
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
--- @include lib/owner
--- @include lib/erase
--- @include lib/wake
local name, aliases = unpack(redis.call('HMGET', meta, 'name', 'aliases'))
erase()
remember('1')
wake_up('all')
return ok('deleted', name, aliases or '')
