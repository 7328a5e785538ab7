--[[
actors/alias_add: put an alias on the list of an actor. `alias` empty: only ask whether the caller may.

@slot key
@key record    hash  the key: how many aliases its actors have
@key book      hash
@key nicknames hash
@key idem      string
@arg key       text
@arg id        text
@arg alias     text
@arg cap       int   most aliases of an actor
@arg cap_of_key int  most aliases of all actors of a key
@arg idem_ms   int
@arg body      text
@ok  allowed
@ok  added
@ok  replayed
@no  actor_not_found
@no  actor_forbidden
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/actor
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
if alias == '' then return ok('allowed') end
-- Aliases hold no control characters, so one can part them.
local known = redis.call('HGET', nicknames, id) or '0\31'
local aliases = string.match(known, '^%d+(\31.*)$')
if not string.find(aliases, '\31' .. alias .. '\31', 1, true) then
  local _, count = string.gsub(aliases, '\31', '')
  if count - 1 >= cap then return refuse('quota_exceeded', 'limit', 'aliases_per_actor', 'value#', cap) end
  if (redis.call('HGET', record, 'aliases') or 0) + 0 >= cap_of_key then
    return refuse('quota_exceeded', 'limit', 'actor_aliases_per_key', 'value#', cap_of_key)
  end
  redis.call('HSET', nicknames, id, int(now) .. aliases .. alias .. '\31')
  redis.call('HINCRBY', record, 'aliases', 1)
end
remember('1')
return ok('added')
