-- log, open, leases, claims and retracted die together, at the channel's deadline (ms): an index that died before its record would lose tasks.
-- A key that was just made anew has no expiry yet: call this with it.
local function dies_with_channel(name) redis.call('PEXPIREAT', name, string.format('%d', deadline)) end
-- The deadline of a channel whose newest message is `newest`. 2 % more than needed, so that it is moved once in a while only.
local function deadline_after(newest) return math.ceil((newest + (ttl + retention) * 1.02) / 1000) + 60000 end
local function dies_by(newest)
  deadline = deadline_after(newest)
  redis.call('HSET', meta, 'deadline', string.format('%d', deadline))
  for _, name in ipairs({ log, open, leases, claims, retracted }) do dies_with_channel(name) end
end
