--[[
channels/create: make a channel under an id, or find the one that is there.

@slot channel
@key meta     hash
@key members  hash
@key gone     string  this id was deleted
@key idem     string
@arg key      text    owner: key id
@arg mode     text
@arg access   text
@arg idem_ms  int
@arg body     text
@rest         name, value of the other fields
@ok  created
@ok  existing
@ok  replayed  1 if the first answer was `created`
@ok  gone      the id was deleted: take another one
@no  channel_name_in_use  channel's mode and access
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/number
--- @include lib/settings

local facts, reused = seen()
if reused then return reused end
-- A retry that comes after the channel was deleted makes no second one.
if facts then return ok('replayed', facts[1] + 0) end
if redis.call('EXISTS', gone) == 1 then return ok('gone') end
local has_mode, has_access = unpack(redis.call('HMGET', meta, 'mode', 'access'))
if has_mode then
  if has_mode ~= mode or has_access ~= access then
    return refuse('channel_name_in_use', 'mode', has_mode, 'access', has_access)
  end
  remember('0')
  return ok('existing')
end
-- `settings` first: what is looked for most is found first.
redis.call('HSET', meta, 'settings', '', 'mode', mode, 'access', access, 'owner', key, 'created', int(now), 'updated', int(now), 'rev', 1,
  'deadline', 0, unpack(rest))
pack_settings()
redis.call('HSET', members, key, int(now) .. '\31')
remember('1')
return ok('created')
