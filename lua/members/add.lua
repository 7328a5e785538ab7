--[[
members/add: let a key into a channel. Adding it again changes nothing.

@slot channel
@key meta     hash
@key members  hash
@key roster   zset
@key events   stream
@key outbox   stream
@key idem     string
@arg key      text  who asks
@arg member   text  key id
@arg cap      int   most members of a channel
@arg idem_ms  int
@arg body     text
@ok  added     granted at (µs), invitation or empty, 1 if there is something in the outbox
@ok  replayed  granted at (µs), invitation or empty, 0
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  quota_exceeded
@no  webhook_backlog_full  retry_after_ms
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner
--- @include lib/event
--- @include lib/let_in

local facts, reused = seen()
if reused then return reused end
local known = redis.call('HGET', members, member)
if facts then return ok('replayed', facts[1] + 0, '', 0) end
local is_pushed = not known and hooked
if not known then
  if redis.call('HLEN', members) >= cap then return refuse('quota_exceeded', 'limit', 'members_per_channel', 'value#', cap) end
  local waiting
  if hooked then
    --- @include lib/outbox_room
  end
  known = int(let_in(member, '')) .. '\31'
  tell('member_added', member, '')
  if hooked then
    redis.call('XADD', outbox, '*', 'e', 'member_added\31\31\31' .. member .. '\31' .. key)
    --- @include lib/outbox
  end
end
local at, invitation = string.match(known, '^(%d+)\31(.*)$')
remember(at)
return ok('added', at + 0, invitation, is_pushed and 1 or 0)
