--[[
messages/list_claimed: a page of messages that are held or acked, after a cursor, oldest first.

Looks at no more than 500 messages: the page may be short or empty and go on at `seen`.

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
@ok  page     ttl µs, rev, mode, 0, next lease end, entries, records, more 0|1, seen
@ok  ahead    the cursor lies in the future
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/ahead
--- @include lib/page
--- @include lib/next_lease
--- @include lib/record

local LOOK_AT = 500
local entries, records, bytes, looked = {}, {}, 0, 0
local from = '(' .. sid(math.max(cursor, dead, 0))
local to = before > 0 and '(' .. sid(math.max(before - ttl, 1)) or '+'
local seen_to, more = 0, mode == 'claimable'
while more and looked < LOOK_AT do
  local chunk = redis.call('XRANGE', log, from, to, 'COUNT', CHUNK)
  local texts = records_of(chunk)
  for i, entry in ipairs(chunk) do
    local r = texts[i] ~= '' and parse(texts[i])
    if r and (r.state == 'd' or held(r)) then
      bytes = bytes + size(entry)
      if #entries == limit or (bytes > PAGE_BYTES and #entries > 0) then
        return ok('page', ttl, rev, mode, 0, next_lease_end(), entries, records, 1, seen_to)
      end
      entries[#entries + 1], records[#records + 1] = entry, texts[i]
    end
    seen_to = num(entry[1])
  end
  looked = looked + #chunk
  more = #chunk == CHUNK
  if more then from = '(' .. chunk[#chunk][1] end
end
return ok('page', ttl, rev, mode, 0, next_lease_end(), entries, records, more and 1 or 0, seen_to)
