--[[
sandbox/turn: one worker of the fleet posts the heartbeats, as long as it keeps its lease. Takes or extends the lease, and says whether a
heartbeat is due.

@slot channel
@key meta     hash
@key log      stream
@key poster   string  which worker posts
@arg worker   text
@arg lease_ms int
@arg quiet_ms int     after so long without a message a heartbeat is due
@ok  mine     number of the newest message or 0, ms until a heartbeat is due
@ok  paused   mine, and nothing is posted
@ok  theirs   ms until the other's lease ends
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/last

local holder = redis.call('GET', poster)
if holder and holder ~= worker then return ok('theirs', math.max(redis.call('PTTL', poster), 1)) end
redis.call('SET', poster, worker, 'PX', lease_ms)
if paused then return ok('paused') end
local newest = last_number()
return ok('mine', newest, math.max(math.ceil((newest - now) / 1000 + quiet_ms), 0))
