--[[
messages/history: a page of expired messages that are still within retention, newest first, older than a cursor.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@key claims   hash
@arg key      text  who reads
@arg cursor   int   messages before this number; 0: from the newest
@arg limit    int
@ok  page     ttl µs, entries, records, more 0|1
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/page

if dead <= 0 then return ok('page', ttl, {}, {}, 0) end
local from = (cursor > 0 and cursor <= dead) and '(' .. sid(cursor) or sid(dead)
local entries, more = read_page('XREVRANGE', from, '(' .. sid(math.max(gone_by, 0)), limit)
return ok('page', ttl, entries, records_of(entries), more and 1 or 0)
