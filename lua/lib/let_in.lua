-- Makes a key a member that is none yet: `let_in(member, invitation)`. Answers since when (µs): later than all before, so that pages lose and repeat
-- nobody. The owner is in from the start and not in `roster`.
--- @include lib/number
local function let_in(member, invitation)
  local newest = redis.call('ZRANGE', roster, -1, -1, 'WITHSCORES')[2]
  local at = math.max(now, (newest or redis.call('HGET', meta, 'created')) + 1)
  redis.call('HSET', members, member, int(at) .. '\31' .. invitation)
  redis.call('ZADD', roster, int(at), member)
  local life = newest and 0 or redis.call('PTTL', meta)
  if life > 0 then redis.call('PEXPIRE', roster, life) end -- a channel that ends by itself
  return at
end
