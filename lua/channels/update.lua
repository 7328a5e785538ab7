--[[
channels/update: change fields of a channel. The owner may change all, members the three that help them work together.

@slot channel
@key meta      hash
@key members   hash
@key log       stream
@key open      zset
@key claims    hash
@key leases    zset
@key wake      pubsub
@key idem      string
@arg key       text  who asks
@arg for_members text  1: only fields that members may change
@arg idem_ms   int
@arg body      text
@rest          name, value of each field
@ok  updated   fields and values
@ok  replayed  fields and values
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  channel_not_empty
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/access
--- @include lib/last
--- @include lib/deadline
--- @include lib/fields
--- @include lib/wake

local facts, reused = seen()
if reused then return reused end
if key ~= redis.call('HGET', meta, 'owner') and not (for_members == '1' and redis.call('HEXISTS', members, key) == 1) then return refuse('forbidden') end
if facts then return ok('replayed', fields()) end

local new = {}
for i = 1, #rest, 2 do new[rest[i]] = rest[i + 1] end
if new.mode and new.mode ~= mode then
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  if newest and num(newest[1]) > dead then return refuse('channel_not_empty') end
end
local others = (new.mode and new.mode ~= mode) or (new.access and (new.access == 'restricted') ~= restricted)
if #rest > 0 then redis.call('HSET', meta, unpack(rest)) end
redis.call('HSET', meta, 'updated', int(now))
if new.retention and new.retention * 1000000 ~= retention then
  retention = new.retention * 1000000
  dies_by(math.max(last_number(), now))
end
-- Who waits here asks again whether it may.
if others then redis.call('HINCRBY', meta, 'rev', 1) end
pack_settings()
remember('1')
if others then wake_up('all') end
return ok('updated', fields())
