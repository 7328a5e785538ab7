--[[
tasks/origin: who posted a task, live or in the history, if the caller may read its channel.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@arg key      text  who asks
@arg n        int   the message
@ok  task     poster's key id, ttl µs
@no  channel_not_found
@no  channel_access_denied
@no  message_not_found
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/number

local entry = redis.call('XRANGE', log, sid(n), sid(n))[1]
if not entry or n <= gone_by then return refuse('message_not_found') end
return ok('task', string.match(entry[2][2], '^[^\31]*'), ttl)
