--[[
access_requests/approve: let in who asked.

@slot channel
@key meta      hash
@key members   hash
@key roster    zset
@key requests  hash
@key resolved  string  how this request was answered
@key events    stream
@key outbox    stream
@key idem      string
@arg key       text  who answers
@arg id        text  the request
@arg requester text  key id
@arg cap       int   most members of a channel
@arg idem_ms   int
@arg body      text
@ok  approved  1 if there is something in the outbox
@ok  replayed  0
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  access_request_not_found
@no  access_request_resolved  status
@no  quota_exceeded
@no  webhook_backlog_full  retry_after_ms
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed', 0) end
--- @include lib/request
--- @include lib/event
--- @include lib/let_in
local is_new = redis.call('HEXISTS', members, requester) == 0
if is_new then
  if redis.call('HLEN', members) >= cap then return refuse('quota_exceeded', 'limit', 'members_per_channel', 'value#', cap) end
  local waiting
  if hooked then
    --- @include lib/outbox_room
  end
  let_in(requester, '')
  tell('member_added', requester, '')
  if hooked then
    redis.call('XADD', outbox, '*', 'e', 'member_added\31\31\31' .. requester .. '\31' .. key)
    --- @include lib/outbox
  end
end
resolve_as('approved')
remember('1')
return ok('approved', is_new and hooked and 1 or 0)
