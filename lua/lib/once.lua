-- Idempotency: reads `idem` (args idem_ms, body); writes it in the same step as the effect.
-- seen() returns the first answer's facts, or nil, or nil and a refusal. remember(…) stores facts: numbers and ids only, never content.
local function seen()
  if idem_ms == 0 then return nil end
  local record = redis.call('GET', idem)
  if not record then return nil end
  local facts = {}
  for fact in string.gmatch(record, '[^\31]+') do facts[#facts + 1] = fact end
  if facts[1] ~= body then return nil, refuse('idempotency_key_reused') end
  table.remove(facts, 1)
  return facts
end
local function remember(...)
  if idem_ms > 0 then
    redis.call('SET', idem, table.concat({ body, ... }, '\31'), 'PX', idem_ms)
  end
end
