-- Messages of the running minute of a channel with max_writes_per_minute: a fixed window that begins with its first message.
--- @include lib/number
local began, count = unpack(redis.call('HMGET', meta, 'minute_began', 'minute_count'))
began, count = (began or 0) + 0, (count or 0) + 0
if now < began or now >= began + 60000000 then began, count = now, 0 end
local function rest_ms() return math.ceil((began + 60000000 - now) / 1000) end
local function count_one() redis.call('HSET', meta, 'minute_began', int(began), 'minute_count', count + 1) end
