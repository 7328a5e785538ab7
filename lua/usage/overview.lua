--[[
usage/overview: what a key has: how many channels, the ids of some of them, how many sessions and actors, requests of its running window.

@slot key
@flags no-writes
@key channels       hash
@key actors         hash
@key sessions       hash
@key session_index  zset
@key window         string
@arg most      int  ids of about this many channels
@ok  overview  channels, sessions, ids of channels, actors, requests
]]
--- @include lib/answer
--- @include lib/session

local count = redis.call('HLEN', channels)
local ids = {}
if count <= most then
  ids = redis.call('HVALS', channels)
else
  local pairs_of_some = redis.call('HSCAN', channels, 0, 'COUNT', most)[2]
  for i = 2, math.min(#pairs_of_some, most * 2), 2 do ids[#ids + 1] = pairs_of_some[i] end
end
return ok('overview', count, redis.call('ZCOUNT', session_index, '(' .. int(ended), '+inf'), ids, redis.call('HLEN', actors),
  (redis.call('GET', window) or 0) + 0)
