--[[
channels/alias_remove: take an alias off the channel's record. Second of two steps, after it was freed: a crash in between leaves an alias
that is listed and leads nowhere, until this is asked again.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key idem     string
@arg key      text
@arg alias    text
@arg freed    text  1: it stood for this channel until now
@arg idem_ms  int
@arg body     text
@ok  removed
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  alias_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
-- Aliases hold no control characters, so one can part them.
local aliases = '\31' .. (redis.call('HGET', meta, 'aliases') or '')
local from, to = string.find(aliases, '\31' .. alias .. '\31', 1, true)
if not from and freed ~= '1' then return refuse('alias_not_found') end
if from then
  redis.call('HSET', meta, 'aliases', string.sub(aliases, 2, from) .. string.sub(aliases, to + 1), 'updated', int(now))
end
remember('1')
return ok('removed')
