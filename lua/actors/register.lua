--[[
actors/register: the actor of this name under a key; made if it is not there.

@slot key
@key record      hash  the key: a request that was let in just before it was revoked must not leave an actor without owner
@key actors      hash  the key's actor names
@key book        hash  actors by id
@key idem        string
@arg key         text
@arg owner_label text
@arg name        text
@arg id          text  id of the actor that would be made
@arg description text
@arg metadata    long  JSON as it was sent, or empty
@arg cap         int   most actors of a key
@arg idem_ms     int
@arg body        text
@ok  existing  actor id
@ok  created   actor id
@ok  replayed  actor id, 1 if the first answer was `created`
@no  unauthorized
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', facts[1], facts[2] + 0) end
local known = redis.call('HGET', actors, name)
if known then
  remember(known, '0')
  return ok('existing', known)
end
if redis.call('HGET', record, 'active') ~= '1' then return refuse('unauthorized') end
if redis.call('HLEN', actors) >= cap then return refuse('quota_exceeded', 'limit', 'actors_per_key', 'value#', cap) end
redis.call('HSET', actors, name, id)
redis.call('HSET', book, id, table.concat({ name, key, owner_label, int(now), metadata, description }, '\31'))
remember(id, '1')
return ok('created', id)
