-- Drops the results of acks (lib/result) of these messages: numbers as text, at most 64.
local function forget_results(numbers)
  local fields = {}
  for i, m in ipairs(numbers) do fields[i] = 'r' .. m end
  local gone = redis.call('HDEL', claims, unpack(fields))
  if gone > 0 then redis.call('HINCRBY', claims, 'results', -gone) end
end
