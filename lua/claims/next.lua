--[[
claims/next: give the oldest unclaimed messages to one actor. Returns ended leases first.

@slot channel
@key meta     hash
@key members  hash
@key log      stream
@key open     zset
@key claims   hash
@key leases   zset
@key wake     pubsub
@key idem     string
@arg key      text  who asks
@arg actor    text  actor id
@arg name     text  actor name
@arg lease_ms int   0: hold until ack or expiry
@arg lease_cap int  most leases of a channel that run
@arg secret   text  secret of the lease tokens
@arg max      int   at most this many, 1 to 10
@arg idem_ms  int
@arg body     text
@ok  claimed   ttl µs, entries, records, leases found to have ended
@ok  replayed  ttl µs, entries, records: what this request took before and holds still
@ok  empty     when the earliest running lease ends, µs; 0: none runs; leases found to have ended
@no  channel_not_found
@no  channel_access_denied
@no  channel_not_claimable
@no  quota_exceeded
@no  idempotency_key_reused
]]
--- @include lib/access
if mode ~= 'claimable' then
  --- @include lib/answer
  return refuse('channel_not_claimable')
end
local entries, records = {}, {}
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  --- @include lib/record
  local facts, reused = seen()
  if reused then return reused end
  -- Pairs of number and attempt.
  for i = 1, facts and #facts or 0, 2 do
    local text = redis.call('HGET', claims, facts[i])
    local r = parse(text)
    local entry = redis.call('XRANGE', log, facts[i], facts[i])[1]
    if entry and held(r) and r.attempt == facts[i + 1] + 0 and facts[i] + 0 > dead then
      entries[#entries + 1], records[#records + 1] = entry, text
    end
  end
  if #entries > 0 then return ok('replayed', ttl, entries, records) end
end

local running = false
if lease_ms > 0 then
  --- @include lib/lease_room
  if running and running >= lease_cap then
    --- @include lib/answer
    return refuse('quota_exceeded', 'limit', 'leases_per_channel', 'value#', lease_cap)
  end
  if running then max = math.min(max, lease_cap - running) end
end
local ended
--- @include lib/reclaim
local taken = {}
local oldest = '(' .. string.format('%d', math.max(dead, 0))
-- An index entry whose message is gone is dropped and the next one looked at; four rounds bound that.
for _ = 1, 4 do
  local numbers = redis.call('ZRANGEBYSCORE', open, oldest, '+inf', 'LIMIT', 0, max)
  for _, m in ipairs(numbers) do
    local entry = redis.call('XRANGE', log, m, m)[1]
    if entry then
      entries[#entries + 1], taken[#taken + 1] = entry, m
    else
      redis.call('ZREM', open, m)
    end
  end
  if #entries > 0 or #numbers == 0 then break end
end
if #entries == 0 then
  --- @include lib/next_lease
  return cmsgpack.pack({ 'empty', now, next_lease_end(), ended })
end

local before = redis.call('HMGET', claims, unpack(taken))
local ends = lease_ms > 0 and string.format('%d', now + lease_ms * 1000) or '0'
local holder = '\31' .. ends .. '\31' .. secret .. '\31' .. key .. '\31' .. actor .. '\31' .. name .. '\31' .. now_text .. '\31' .. now_text .. '\31'
local written, leased, kept = {}, {}, {}
for i, m in ipairs(taken) do
  local attempt, acks = '1', ''
  if before[i] then
    attempt, acks = string.match(before[i], '^%a\31(%d+)\31%d+\31[^\31]*\31[^\31]*\31[^\31]*\31[^\31]*\31%d+\31%d+\31(.*)$')
    attempt = string.format('%d', attempt + 1)
  end
  records[i] = 'h\31' .. attempt .. holder .. acks
  written[2 * i - 1], written[2 * i] = m, records[i]
  leased[2 * i - 1], leased[2 * i] = ends, m
  kept[2 * i - 1], kept[2 * i] = m, attempt
end
redis.call('ZREM', open, unpack(taken))
redis.call('HSET', claims, unpack(written))
if lease_ms > 0 then
  redis.call('ZADD', leases, unpack(leased))
  -- The earliest end of all is news for those who wait.
  if redis.call('ZCOUNT', leases, '-inf', ends) == #taken then redis.pcall('SPUBLISH', wake, 'one') end
end
if running then
  --- @include lib/lease_note
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  remember(unpack(kept))
end
if watched and watched > now then
  for _, m in ipairs(taken) do redis.pcall('SPUBLISH', wake .. ':' .. m, 'claimed') end
end
return cmsgpack.pack({ 'claimed', now, ttl, entries, records, ended })
