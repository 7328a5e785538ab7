--[[
webhooks/push_once: whether this mention may be pushed: one a minute for each actor and channel.

@slot channel
@key pushed   string  the delivery that was pushed to this actor within the last minute
@arg delivery text
@ok  first
@ok  again    -- the same delivery: its worker died, or it is a replay
@ok  muted
]]
--- @include lib/answer

local other = redis.call('GET', pushed)
if other == delivery then return ok('again') end
if other then return ok('muted') end
redis.call('SET', pushed, delivery, 'PX', 60000)
return ok('first')
