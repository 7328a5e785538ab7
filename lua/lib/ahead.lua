-- A cursor that lies ahead of the channel tells that Redis lost its tail in a failover: numbers given from now on must lie above it, so
-- `last` is lifted to it, by 60 s at most. A cursor further ahead gets a gap and what came in the last minute: repeat rather than skip.
--- @include lib/number
local gap = 0
if cursor > math.max(last, now) then
  if cursor <= now + 60000000 then
    last = cursor
    redis.call('HSET', meta, 'last', int(cursor))
  else
    gap, cursor = 1, math.max(now - 60000000, 0)
  end
end
