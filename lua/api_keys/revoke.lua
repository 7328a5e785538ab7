--[[
api_keys/revoke: end a key. Its label is free at once; what is left of it vanishes after 30 days. Its channels stay, its actors and their
webhooks do not. Answers their global aliases, so that they can be freed.

@slot key
@flags allow-oom
@key labels   hash
@key record   hash
@key channels hash  names of the key's channels
@key owned    zset
@key actors   hash
@key book     hash  actors by id
@key nicknames hash
@key hooks    hash
@key audit    stream
@arg key      text
@arg announced int  this server's time before the revocation was announced
@arg event_id text
@arg event    text  what stands in the key's audit
@arg keep     int
@arg keep_ms  int
@ok  revoked  label, then in turn an actor's id and its aliases, each of them ended by \31
@ok  late     nothing was done: to be announced again
@no  unauthorized
]]
--- @include lib/answer
--- @include lib/audit
--- @include lib/in_time

local label, active = unpack(redis.call('HMGET', record, 'label', 'active'))
if active ~= '1' then return refuse('unauthorized') end
if not in_time() then return ok('late') end
redis.call('HSET', record, 'active', '0')
if redis.call('HGET', labels, label) == key then redis.call('HDEL', labels, label) end
-- As many as a key may have; messages carry the names of their actors themselves.
local ids, freed = redis.call('HVALS', actors), {}
for from = 1, #ids, 1000 do
  local to = math.min(from + 999, #ids)
  for i, known in ipairs(redis.call('HMGET', nicknames, unpack(ids, from, to))) do
    local aliases = known and string.match(known, '^%d+\31(.+)$')
    if aliases then freed[#freed + 1], freed[#freed + 2] = ids[from + i - 1], aliases end
  end
  for _, name in ipairs({ book, nicknames, hooks }) do redis.call('HDEL', name, unpack(ids, from, to)) end
end
redis.call('DEL', actors)
for _, name in ipairs({ record, channels, owned }) do redis.call('EXPIRE', name, 2592000) end
note(audit)
return { 'revoked', now, label, unpack(freed) }
