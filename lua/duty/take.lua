--[[
duty/take: one worker does the fleet's background work, as long as it keeps its lease. Takes or extends the lease, or gives it back.

@slot duty
@key holder   string  which worker does it
@arg worker   text
@arg lease_ms int     0: it is given back
@ok  mine
@ok  left     -- it is not, or no longer, this worker's
@ok  theirs   ms until the other's lease ends
]]
--- @include lib/answer

local by = redis.call('GET', holder)
if lease_ms == 0 then
  if by == worker then redis.call('DEL', holder) end
  return ok('left')
end
if by and by ~= worker then return ok('theirs', math.max(redis.call('PTTL', holder), 1)) end
redis.call('SET', holder, worker, 'PX', lease_ms)
return ok('mine')
