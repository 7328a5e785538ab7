--[[
members/remove: put a key out of a channel, or leave it. It counts from the next request on; those who wait ask again.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key roster   zset
@key events   stream
@key wake     pubsub
@key idem     string
@arg key      text  who asks: the owner, or who leaves
@arg member   text  key id
@arg idem_ms  int
@arg body     text
@ok  removed
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  cannot_remove_owner
@no  member_not_found
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once

-- Who has left may not read any more, but its retry is answered.
local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
--- @include lib/access
--- @include lib/event
--- @include lib/settings
--- @include lib/wake
local owner = redis.call('HGET', meta, 'owner')
if key ~= owner and key ~= member then return refuse('forbidden') end
if member == owner then return refuse('cannot_remove_owner') end
if redis.call('HDEL', members, member) == 0 then return refuse('member_not_found') end
redis.call('ZREM', roster, member)
redis.call('HINCRBY', meta, 'rev', 1)
pack_settings()
tell('member_removed', member, '')
remember('1')
wake_up('all')
return ok('removed')
