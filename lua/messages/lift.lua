--[[
messages/lift: a reader's cursor lies ahead of the channel, so Redis lost its tail in a failover. Numbers given from now on must lie above
the cursor, so the log is lifted to it, by 60 s at most. Further ahead: the reader starts over with the last minute, repeat rather than skip.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key log      stream  keeps the highest number given
@key open     zset    these too live until the new deadline
@key claims   hash
@key leases   zset
@arg key      text  who reads; empty: the replica, for waiters it has checked
@arg cursor   int
@ok  lifted
@ok  gap      cursor to start over from
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/last
--- @include lib/deadline

if cursor <= last_number() then return ok('lifted') end -- another reader did
if cursor > now + 60000000 then return ok('gap', math.max(now - 60000000, 0)) end
-- A message that is taken out at once: the log goes on above it, whether it was there or not.
redis.call('XADD', log, sid(cursor), 'h', '')
redis.call('XDEL', log, sid(cursor))
dies_by(cursor)
return ok('lifted')
