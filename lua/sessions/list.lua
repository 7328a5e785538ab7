--[[
sessions/list: a page of a key's sessions, newest first, at most about 1 MiB.

@slot key
@flags no-writes
@key sessions       hash
@key session_index  zset
@arg before  int  created before this time (µs); 0: from the newest
@arg limit   int
@ok  page    ids, records, more 0|1
]]
--- @include lib/answer
--- @include lib/session

local PAGE_BYTES = 1048576
local CHUNK = 10
local from = before > 0 and '(' .. int(before) or '+inf'
local found = redis.call('ZREVRANGEBYSCORE', session_index, from, '(' .. int(ended), 'LIMIT', 0, limit)
local ids, records, bytes = {}, {}, 0
for first = 1, #found, CHUNK do
  local chunk = redis.call('HMGET', sessions, unpack(found, first, math.min(first + CHUNK - 1, #found)))
  for i, record in ipairs(chunk) do
    bytes = bytes + #record
    if bytes > PAGE_BYTES and #ids > 0 then return ok('page', ids, records, 1) end
    ids[#ids + 1], records[#records + 1] = found[first + i - 1], record
  end
end
return ok('page', ids, records, #found == limit and 1 or 0)
