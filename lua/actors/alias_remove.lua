--[[
actors/alias_remove: take an alias off the list of an actor. Second of two steps, after it was freed: a crash in between leaves an alias
that is listed and leads nowhere, until this is asked again.

@slot key
@flags allow-oom
@key record    hash  the key: how many aliases its actors have
@key book      hash
@key nicknames hash
@key idem      string
@arg key       text
@arg id        text
@arg alias     text
@arg freed     text  1: it stood for this actor until now
@arg idem_ms   int
@arg body      text
@ok  removed
@ok  replayed
@no  actor_not_found
@no  actor_forbidden
@no  alias_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/actor
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
local known = redis.call('HGET', nicknames, id) or '0\31'
local aliases = string.match(known, '^%d+(\31.*)$')
local from, to = string.find(aliases, '\31' .. alias .. '\31', 1, true)
if not from and freed ~= '1' then return refuse('alias_not_found') end
if from then
  redis.call('HSET', nicknames, id, int(now) .. string.sub(aliases, 1, from) .. string.sub(aliases, to + 1))
  redis.call('HINCRBY', record, 'aliases', -1)
end
remember('1')
return ok('removed')
