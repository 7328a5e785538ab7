--[[
messages/list: a page of live messages after a cursor, oldest first.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@key claims   hash
@key leases   zset
@arg key      text  who reads; empty: the replica, for waiters it has checked
@arg cursor   int   messages after this number
@arg before   int   only messages that expire before this time; 0: all
@arg limit    int
@ok  page     ttl µs, rev, mode, highest number given (of an empty page, else 0), next lease end, entries, records, more 0|1
@ok  ahead    the cursor lies in the future
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/ahead
--- @include lib/page
--- @include lib/next_lease

local to = before > 0 and '(' .. sid(math.max(before - ttl, 1)) or '+'
local entries, more = read_page('XRANGE', '(' .. sid(math.max(cursor, dead, 0)), to, limit)
return ok('page', ttl, rev, mode, #entries == 0 and last_number() or 0, next_lease_end(), entries, records_of(entries), more and 1 or 0)
