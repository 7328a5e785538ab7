--[[
access_requests/deny: do not let in who asked. It may ask again.

@slot channel
@flags allow-oom
@key meta      hash
@key members   hash
@key requests  hash
@key resolved  string  how this request was answered
@key idem      string
@arg key       text  who answers
@arg id        text  the request
@arg requester text  key id
@arg idem_ms   int
@arg body      text
@ok  denied
@ok  replayed
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  access_request_not_found
@no  access_request_resolved  status
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
--- @include lib/request
resolve_as('denied')
remember('1')
return ok('denied')
