--[[
channels/discover: a page of the list of channels that can be found, newest first. What each of them is, its own slot tells.

@slot discoverable
@flags no-writes
@key listing zset
@arg before  int   entries below this number; 0: from the newest
@arg limit   int
@ok  page    channel id, number of each
]]
--- @include lib/answer
--- @include lib/number

local from = before > 0 and '(' .. int(before) or '+inf'
return ok('page', redis.call('ZREVRANGEBYSCORE', listing, from, '-inf', 'WITHSCORES', 'LIMIT', 0, limit))
