-- Drops messages for good, at most 64 a call, with everything that belongs to them. Writes log, claims, open, leases.
--- @include lib/number
--- @include lib/forget
local function drop(entries)
  if #entries == 0 then return end
  local numbers = {}
  for i, e in ipairs(entries) do numbers[i] = digits(e[1]) end
  redis.call('HDEL', claims, unpack(numbers))
  forget_results(numbers)
  redis.call('ZREM', open, unpack(numbers))
  redis.call('ZREM', leases, unpack(numbers))
  redis.call('XTRIM', log, 'MINID', sid(num(entries[#entries][1]) + 1))
end
-- What is past its retention.
local function drop_gone()
  if gone_by <= 0 then return end
  drop(redis.call('XRANGE', log, '-', sid(gone_by), 'COUNT', 64))
end
-- What nobody can claim any more, out of the index of the unclaimed.
local function close_expired()
  if dead <= 0 then return end
  local expired = redis.call('ZRANGEBYSCORE', open, '(0', int(dead), 'LIMIT', 0, 64)
  if #expired > 0 then redis.call('ZREM', open, unpack(expired)) end
end
