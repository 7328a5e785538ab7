--[[
usage/add: add what a replica counted for a key to the key's counters, and say what they are now.

@slot key
@flags allow-oom
@key usage    hash
@arg requests int
@arg errors   int
@arg claims   int
@arg acks     int
@ok  counted  requests, errors, claims, acks in all
]]
--- @include lib/answer

local LIFE_MS = 7776000000 -- 90 days
local added = false
for name, count in pairs({ requests = requests, errors = errors, claims = claims, acks = acks }) do
  if count > 0 then
    redis.call('HINCRBY', usage, name, count)
    added = true
  end
end
if added then redis.call('PEXPIRE', usage, LIFE_MS) end
local totals = redis.call('HMGET', usage, 'requests', 'errors', 'claims', 'acks')
for i = 1, 4 do totals[i] = totals[i] or 0 end
return ok('counted', unpack(totals))
