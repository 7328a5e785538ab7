--[[
usage/channel_metrics: what a channel holds and what was done in it, for its owner. Returns ended leases first.

@slot channel
@flags allow-oom
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@arg key      text  who asks
@ok  metrics  posted, held, open, leased, number of the oldest open one or 0, claims, acks, releases, leases that ended, those of them found now
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner
--- @include lib/number

local ended
--- @include lib/reclaim
local posted = 0
if redis.call('EXISTS', log) == 1 then
  local about = redis.call('XINFO', 'STREAM', log)
  for i = 1, #about, 2 do
    if about[i] == 'entries-added' then posted = about[i + 1] end
  end
end
local live = '(' .. int(math.max(dead, 0))
-- More leases than one call returns may have ended at the same time.
local can_be_claimed = redis.call('ZCOUNT', open, live, '+inf') + redis.call('ZCOUNT', leases, '-inf', int(now))
local oldest = redis.call('ZRANGEBYSCORE', open, live, '+inf', 'LIMIT', 0, 1)[1] or 0
local leased = redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf')
local counted = redis.call('HMGET', meta, 'claims_counted', 'acks_counted', 'releases_counted', 'leases_ended')
for i = 1, 4 do counted[i] = counted[i] or 0 end
counted[5] = ended
return ok('metrics', posted, redis.call('XLEN', log), can_be_claimed, leased, oldest, unpack(counted))
