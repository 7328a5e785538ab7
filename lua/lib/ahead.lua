-- Ends the script with `ahead` when the cursor lies in the future of the channel: Redis lost its tail in a failover (messages/lift).
--- @include lib/last
if cursor > now and cursor > last_number() then return ok('ahead') end
