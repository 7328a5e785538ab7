-- Puts a member at a number of its own, at or just above `at`, unless it has one: a cursor lies between two members, never on two.
--- @include lib/number
local function place(name, member, at)
  if redis.call('ZSCORE', name, member) then return end
  for _ = 1, 64 do
    if redis.call('ZCOUNT', name, int(at), int(at)) == 0 then break end
    at = at + 1
  end
  redis.call('ZADD', name, int(at), member)
end
