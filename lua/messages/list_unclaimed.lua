--[[
messages/list_unclaimed: a page of the messages that can be claimed, after a cursor, oldest first. Returns ended leases first.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@arg key      text  who reads; empty: the replica, for waiters it has checked
@arg cursor   int   messages after this number
@arg before   int   only messages that expire before this time; 0: all
@arg limit    int
@ok  page     ttl µs, rev, mode, 0, next lease end, entries, records, more 0|1, leases found to have ended
@ok  ahead    the cursor lies in the future
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/ahead
--- @include lib/page
--- @include lib/next_lease

local entries, more, ended = {}, false, 0
if mode == 'claimable' then
  --- @include lib/reclaim
  local to = before > 0 and '(' .. int(math.max(before - ttl, 0)) or '+inf'
  local bytes = 0
  local numbers = redis.call('ZRANGEBYSCORE', open, '(' .. int(math.max(cursor, dead, 0)), to, 'LIMIT', 0, limit)
  more = #numbers == limit
  for _, m in ipairs(numbers) do
    local entry = redis.call('XRANGE', log, sid(m + 0), sid(m + 0))[1]
    if entry then
      bytes = bytes + size(entry)
      if bytes > PAGE_BYTES and #entries > 0 then more = true break end
      entries[#entries + 1] = entry
    end
  end
else
  -- Nobody claims on a broadcast channel: everything is unclaimed.
  local to = before > 0 and '(' .. sid(math.max(before - ttl, 1)) or '+'
  entries, more = read_page('XRANGE', '(' .. sid(math.max(cursor, dead, 0)), to, limit)
end
return ok('page', ttl, rev, mode, 0, next_lease_end(), entries, records_of(entries), more and 1 or 0, ended)
