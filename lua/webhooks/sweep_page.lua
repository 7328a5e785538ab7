--[[
webhooks/sweep_page: channels of one part of the index of outboxes, for the one worker that sweeps this part at the moment.

@slot outboxes
@key index    zset
@key sweeper  string  who sweeps this part
@arg worker   text
@arg lease_ms int
@arg from     int     rank of the first one
@arg limit    int
@ok  page     channel id, number of each
@ok  taken    -- another worker sweeps
]]
--- @include lib/answer

local by = redis.call('GET', sweeper)
if by and by ~= worker then return ok('taken') end
redis.call('SET', sweeper, worker, 'PX', lease_ms)
return ok('page', redis.call('ZRANGE', index, from, from + limit - 1, 'WITHSCORES'))
