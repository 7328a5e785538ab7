--[[
access_requests/list: the requests that wait for an answer, at most MAX_ACCESS_REQUESTS_PER_CHANNEL of them.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key requests hash
@arg key      text  who asks
@ok  requests  key id, request of each; a request is id, asked at (µs), label, reason, joined by \31
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner

return ok('requests', redis.call('HGETALL', requests))
