--[[
access_requests/approve: let in who asked.

@slot channel
@key meta      hash
@key members   hash
@key requests  hash
@key resolved  string  how this request was answered
@key events    stream
@key idem      string
@arg key       text  who answers
@arg id        text  the request
@arg requester text  key id
@arg cap       int   most members of a channel
@arg idem_ms   int
@arg body      text
@ok  approved
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  access_request_not_found
@no  access_request_resolved  status
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
--- @include lib/request
--- @include lib/event
if redis.call('HEXISTS', members, requester) == 0 then
  if redis.call('HLEN', members) >= cap then return refuse('quota_exceeded', 'limit', 'members_per_channel', 'value#', cap) end
  redis.call('HSET', members, requester, int(now) .. '\31')
  tell('member_added', requester, '')
end
resolve_as('approved')
remember('1')
return ok('approved')
