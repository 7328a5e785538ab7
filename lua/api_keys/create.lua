--[[
api_keys/create: a new key for a label that no active key has, with its default actor.

@slot key
@key labels  hash
@key record  hash  the key; holds SHA-256 of the key, never the key
@key actors  hash  names of the key's actors
@key book    hash  actors by id
@key audit   stream
@arg key     text  key id
@arg label   text
@arg digest  text
@arg actor_id text
@arg event_id text
@arg event   text  what stands in the key's audit
@arg keep    int
@arg keep_ms int
@ok  created
@no  label_in_use
]]
--- @include lib/answer
--- @include lib/audit

if redis.call('HEXISTS', labels, label) == 1 then return refuse('label_in_use') end
redis.call('HSET', labels, label, key)
redis.call('HSET', record, 'digest', digest, 'label', label, 'active', '1', 'actor', actor_id, 'created', int(now))
redis.call('HSET', actors, label, actor_id)
redis.call('HSET', book, actor_id, table.concat({ label, key, label, int(now), '', '' }, '\31'))
note(audit)
return ok('created')
