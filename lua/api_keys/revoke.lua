--[[
api_keys/revoke: end a key. Its label is free at once; what is left of it vanishes after 30 days. Its channels stay.

@slot key
@flags allow-oom
@key labels   hash
@key record   hash
@key channels hash  names of the key's channels
@key owned    zset
@key actors   hash
@key book     hash  actors by id
@key audit    stream
@arg key      text
@arg event_id text
@arg event    text  what stands in the key's audit
@arg keep     int
@arg keep_ms  int
@ok  revoked  label
@no  unauthorized
]]
--- @include lib/answer
--- @include lib/audit

local label, active = unpack(redis.call('HMGET', record, 'label', 'active'))
if active ~= '1' then return refuse('unauthorized') end
redis.call('HSET', record, 'active', '0')
if redis.call('HGET', labels, label) == key then redis.call('HDEL', labels, label) end
-- As many as a key may have; messages carry the names of their actors themselves.
for _, id in ipairs(redis.call('HVALS', actors)) do redis.call('HDEL', book, id) end
redis.call('DEL', actors)
for _, name in ipairs({ record, channels, owned }) do redis.call('EXPIRE', name, 2592000) end
note(audit)
return ok('revoked', label)
