-- Ends the script unless the request `id` of `requester` waits for an answer.
local pending = redis.call('HGET', requests, requester)
if not pending or string.match(pending, '^[^\31]*') ~= id then
  local said = redis.call('GET', resolved)
  if said then return refuse('access_request_resolved', 'status', said) end
  return refuse('access_request_not_found')
end
-- Answers it. The word is kept for 24 h, for those who answer again.
local function resolve_as(word)
  redis.call('HDEL', requests, requester)
  redis.call('SET', resolved, word, 'EX', 86400)
end
