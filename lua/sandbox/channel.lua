--[[
sandbox/channel: make the sandbox, or give the one that is there the limits of the settings again. Whether it is paused stays as it is.

@slot channel
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@key gone     string  the operator deleted it: it comes back under its id
@arg key      text    owner: key id
@arg label    text    the owner's
@arg name     text
@arg alias    text
@arg description text
@arg ttl_s    int
@arg retention_s int
@arg most     int     messages
@arg writes   int     a minute
@ok  made
@ok  there
]]
--- @include lib/answer
--- @include lib/last
local ttl, retention, deadline = ttl_s * 1000000, retention_s * 1000000, nil
--- @include lib/deadline

local owner, had_ttl, had_retention = unpack(redis.call('HMGET', meta, 'owner', 'ttl', 'retention'))
local limits = { 'ttl', ttl_s, 'retention', retention_s, 'max_messages', most, 'max_writes_per_minute', writes }
if owner then
  redis.call('HSET', meta, unpack(limits))
  -- What is in it may live longer now.
  if had_ttl + 0 ~= ttl_s or had_retention + 0 ~= retention_s then dies_by(math.max(last_number(), now)) end
  pack_settings()
  return ok('there')
end
redis.call('DEL', gone)
redis.call('HSET', meta, 'settings', '', 'mode', 'broadcast', 'access', 'open', 'owner', key, 'owner_label', label, 'name', name,
  'aliases', alias .. '\31', 'description', description, 'discoverable', '1', 'paused', '0', 'created', int(now), 'updated', int(now), 'rev', 1,
  'deadline', 0, unpack(limits))
pack_settings()
redis.call('HSET', members, key, int(now) .. '\31')
return ok('made')
