-- Ends the script with `ahead` when the cursor lies in the future of the channel: Redis lost its tail in a failover (messages/lift).
if cursor > math.max(last, now) then return ok('ahead') end
