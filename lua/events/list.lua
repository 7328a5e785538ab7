--[[
events/list: a page of what happened in a channel within 24 h, after a cursor, oldest first.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key events   stream
@arg key      text  who reads
@arg cursor   int   events after this number
@arg limit    int
@ok  page     entries: kind e, by key k, subject s, invitation i
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner
--- @include lib/number

return ok('page', redis.call('XRANGE', events, '(' .. sid(math.max(cursor, now - 86400000000)), '+', 'COUNT', limit))
