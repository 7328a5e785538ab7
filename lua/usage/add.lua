--[[
usage/add: add what a replica counted for a key to the key's counters, and say what they are now.

@slot key
@flags allow-oom
@key usage    hash
@arg requests int
@arg errors   int
@arg claims   int
@arg acks     int
@arg bytes    int   posted
@ok  counted  requests, errors, claims, acks in all; bytes posted on the running day (UTC), and when that ends (µs)
]]
--- @include lib/answer

local LIFE_MS = 7776000000 -- 90 days
local DAY = 86400000000
local added = false
for name, count in pairs({ requests = requests, errors = errors, claims = claims, acks = acks }) do
  if count > 0 then
    redis.call('HINCRBY', usage, name, count)
    added = true
  end
end
local totals = redis.call('HMGET', usage, 'requests', 'errors', 'claims', 'acks', 'day', 'day_bytes')
local day = string.format('%d', math.floor(now / DAY))
local posted = totals[5] == day and totals[6] + 0 or 0
if bytes > 0 then
  posted = posted + bytes
  redis.call('HSET', usage, 'day', day, 'day_bytes', string.format('%d', posted))
  added = true
end
if added then redis.call('PEXPIRE', usage, LIFE_MS) end
for i = 1, 4 do totals[i] = totals[i] or 0 end
return ok('counted', totals[1], totals[2], totals[3], totals[4], posted, (day + 1) * DAY)
