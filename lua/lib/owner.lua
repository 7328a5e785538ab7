-- Ends the script unless `key` owns the channel: strangers of a restricted channel learn nothing more than that.
--- @include lib/access
local owner = redis.call('HGET', meta, 'owner')
if key ~= owner then return refuse('forbidden') end
