--[[
members/list: a page of a channel's members, the longest standing first.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key roster   zset
@arg key      text  who asks
@arg cursor   int   who was let in after this (µs); 0: from the start, with the owner
@arg limit    int
@ok  members  key id, grant of each; a grant is granted at (µs), \31, invitation or nothing
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner
--- @include lib/number

local page = redis.call('ZRANGE', roster, '(' .. int(cursor), '+inf', 'BYSCORE', 'LIMIT', 0, cursor == 0 and limit - 1 or limit)
if cursor == 0 then table.insert(page, 1, key) end
local found = {}
if #page > 0 then
  for i, grant in ipairs(redis.call('HMGET', members, unpack(page))) do
    found[2 * i - 1], found[2 * i] = page[i], grant
  end
end
return ok('members', found)
