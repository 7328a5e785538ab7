--[[
usage/leases: take in which leases of a key a replica gave, moved and saw end, and say how many of the key's run.

@slot key
@flags allow-oom
@key running      zset  leases by their end, those that ended before it by minus the time until which that is remembered
@arg remember_ms  int   a replica may tell of a lease so long after another one has told that it ended
@rest             a name of the claim, and when its lease ends (µs; 0: it has ended), of at most 64 claims
@ok  counted      leases that run
]]
--- @include lib/answer
--- @include lib/number

local forget_at = now + remember_ms * 1000
if #rest > 0 then
  local names, scores = {}, {}
  for i = 1, #rest, 2 do names[#names + 1] = rest[i] end
  for i, known in ipairs(redis.call('ZMSCORE', running, unpack(names))) do
    local ends = rest[i * 2] + 0
    if ends == 0 then
      scores[#scores + 1], scores[#scores + 2] = int(-forget_at), names[i]
    elseif not known or known + 0 > 0 then -- what has ended does not begin again: the next claim has another name
      scores[#scores + 1], scores[#scores + 2] = int(ends), names[i]
    end
  end
  if #scores > 0 then redis.call('ZADD', running, unpack(scores)) end
end
-- What ran out, and what need not be remembered any more: at least twice as many as came.
local over = redis.call('ZRANGEBYSCORE', running, int(-now), int(now), 'LIMIT', 0, math.max(64, #rest))
if #over > 0 then redis.call('ZREM', running, unpack(over)) end
if #rest > 0 then
  local last = redis.call('ZREVRANGE', running, 0, 0, 'WITHSCORES')[2] or 0
  redis.call('PEXPIREAT', running, int(math.ceil(math.max(last + 0, forget_at) / 1000)))
end
return ok('counted', redis.call('ZCOUNT', running, '(' .. int(now), '+inf'))
