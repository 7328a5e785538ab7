--[[
usage/holdings: take in how many bytes channels of a key hold, and say how many all of its channels hold, as far as they were looked at.

@slot key
@flags allow-oom
@key holdings     hash  channel → bytes, or `gone`; `-`: their sum
@key holdings_end zset  channels by the time (ms) at which what they hold is gone
@rest             channel, bytes (-: it was deleted), the channel's deadline (ms), of at most 64 channels
@ok  counted      bytes
]]
--- @include lib/answer
--- @include lib/number

local GONE_MS = 60000 -- a replica that looked before a channel was deleted may tell of it later
local now_ms = math.floor(now / 1000)
local before = (redis.call('HGET', holdings, '-') or 0) + 0
local sum = before
for i = 1, #rest, 3 do
  local channel, bytes, ends = rest[i], rest[i + 1], rest[i + 2]
  local known = redis.call('HGET', holdings, channel)
  if known ~= 'gone' then
    local gone = bytes == '-'
    sum = sum - (known or 0) + (gone and 0 or bytes)
    redis.call('HSET', holdings, channel, gone and 'gone' or bytes)
    redis.call('ZADD', holdings_end, gone and int(now_ms + GONE_MS) or ends, channel)
  end
end
local passed = redis.call('ZRANGEBYSCORE', holdings_end, '-inf', int(now_ms), 'LIMIT', 0, 64)
if #passed > 0 then
  for _, bytes in ipairs(redis.call('HMGET', holdings, unpack(passed))) do sum = sum - (tonumber(bytes) or 0) end
  redis.call('HDEL', holdings, unpack(passed))
  redis.call('ZREM', holdings_end, unpack(passed))
end
local last = redis.call('ZREVRANGE', holdings_end, 0, 0, 'WITHSCORES')[2]
if not last then
  redis.call('DEL', holdings)
  return ok('counted', 0)
end
if sum ~= before then redis.call('HSET', holdings, '-', int(sum)) end
if #rest > 0 then
  redis.call('PEXPIREAT', holdings, last)
  redis.call('PEXPIREAT', holdings_end, last)
end
return ok('counted', sum)
