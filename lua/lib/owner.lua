-- Ends the script unless `key` owns the channel: strangers of a restricted channel learn nothing more than that.
--- @include lib/access
if key ~= owner then return refuse('forbidden') end
