--[[
channels/alias_add: put an alias on the channel's record. `alias` empty: only ask whether the caller may.

@slot channel
@key meta     hash
@key members  hash
@key idem     string
@arg key      text
@arg alias    text
@arg cap      int   most aliases of a channel
@arg idem_ms  int
@arg body     text
@ok  allowed
@ok  added
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
if alias == '' then return ok('allowed') end
-- Aliases hold no control characters, so one can part them.
local aliases = redis.call('HGET', meta, 'aliases') or ''
local known = string.find('\31' .. aliases, '\31' .. alias .. '\31', 1, true)
local _, count = string.gsub(aliases, '\31', '')
if not known and count >= cap then return refuse('quota_exceeded', 'limit', 'aliases_per_channel', 'value#', cap) end
if not known then redis.call('HSET', meta, 'aliases', aliases .. alias .. '\31', 'updated', int(now)) end
remember('1')
return ok('added')
