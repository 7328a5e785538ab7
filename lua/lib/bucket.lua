-- A token bucket of `per_hour` that fills evenly, as one number: when it will be full again. 0 per hour: no limit. wait_ms() says how long until
-- there is a token, take() takes it.
--- @include lib/number
local HOUR = 3600000000
local each = per_hour > 0 and HOUR / per_hour or 0
local full_at = math.max((redis.call('GET', bucket) or 0) + 0, now)
local function wait_ms() return math.max(math.ceil((full_at + each - HOUR - now) / 1000), 0) end
local function take()
  if per_hour > 0 then redis.call('SET', bucket, int(full_at + each), 'PX', math.ceil((full_at + each - now) / 1000)) end
end
