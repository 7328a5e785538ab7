--[[
sandbox/owner: make the key that owns the sandbox, unless it is there. Its id is always the same one, and nobody can use it: what stands in
the place of the digest is none.

@slot key
@key labels   hash
@key record   hash
@key channels hash  the key's channel names
@key owned    zset
@arg key      text
@arg label    text
@arg name     text  of the sandbox
@arg id       text  of the sandbox
@ok  made
@ok  there
@no  label_in_use  another key had the label before the sandbox was turned on: key_id
]]
--- @include lib/answer
--- @include lib/place

local holder = redis.call('HGET', labels, label)
if holder and holder ~= key then return refuse('label_in_use', 'key_id', holder) end
if holder then return ok('there') end
-- What the operator revoked before goes first: it has an end.
redis.call('DEL', record, channels, owned)
redis.call('HSET', labels, label, key)
redis.call('HSET', record, 'digest', '-', 'label', label, 'active', '1', 'created', int(now))
redis.call('HSET', channels, name, id)
place(owned, id, now)
return ok('made')
