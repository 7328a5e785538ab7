--[[
channels/owned: a page of the channels of a key, newest first. What each of them is, its own slot tells.

@slot key
@flags no-writes
@key owned   zset
@arg before  int   entries below this number; 0: from the newest
@arg limit   int
@ok  page    channel id, number of each
]]
--- @include lib/answer
--- @include lib/number

local from = before > 0 and '(' .. int(before) or '+inf'
return ok('page', redis.call('ZREVRANGEBYSCORE', owned, from, '-inf', 'WITHSCORES', 'LIMIT', 0, limit))
