--[[
messages/lift: a reader's cursor lies ahead of the channel, so Redis lost its tail in a failover. Numbers given from now on must lie above
the cursor, so `last` is lifted to it, by 60 s at most. Further ahead: the reader starts over with the last minute, repeat rather than skip.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@arg key      text  who reads; empty: the replica, for waiters it has checked
@arg cursor   int
@ok  lifted
@ok  gap      cursor to start over from
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/number

if cursor <= last then return ok('lifted') end -- another reader did
if cursor > now + 60000000 then return ok('gap', math.max(now - 60000000, 0)) end
redis.call('HSET', meta, 'last', int(cursor))
return ok('lifted')
