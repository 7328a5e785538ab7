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
--- @include lib/answer
--- @include lib/once
--- @include lib/access

if mode ~= 'claimable' then return refuse('channel_not_claimable') end
local facts, reused = seen()
if reused then return reused end
--- @include lib/reclaim
--- @include lib/wake
local entries, records = {}, {}
if facts then
  -- Pairs of number and attempt.
  for i = 1, #facts, 2 do
    local text = redis.call('HGET', claims, facts[i])
    local r = parse(text)
    local entry = redis.call('XRANGE', log, sid(facts[i] + 0), sid(facts[i] + 0))[1]
    if entry and held(r) and r.attempt == facts[i + 1] + 0 and facts[i] + 0 > dead then
      entries[#entries + 1], records[#records + 1] = entry, text
    end
  end
  if #entries > 0 then return ok('replayed', ttl, entries, records) end
end

--- @include lib/lease_room
if running then max = math.min(max, lease_cap - running) end
local ended = reclaim()
local taken = {}
-- An index entry whose message is gone is dropped and the next one looked at; four rounds bound that.
for _ = 1, 4 do
  local numbers = redis.call('ZRANGEBYSCORE', open, '(' .. int(math.max(dead, 0)), '+inf', 'LIMIT', 0, max)
  for _, m in ipairs(numbers) do
    local entry = redis.call('XRANGE', log, sid(m + 0), sid(m + 0))[1]
    if entry then
      entries[#entries + 1], taken[#taken + 1] = entry, m
    else
      redis.call('ZREM', open, m)
    end
  end
  if #entries > 0 or #numbers == 0 then break end
end
if #entries == 0 then return ok('empty', next_lease_end(), ended) end

local before = redis.call('HMGET', claims, unpack(taken))
local lease_until = lease_ms > 0 and now + lease_ms * 1000 or 0
local kept = {}
for i, m in ipairs(taken) do
  local old = parse(before[i])
  local r = {
    state = 'h', attempt = (old and old.attempt or 0) + 1, lease_until = lease_until,
    secret = secret, key = key, actor = actor, name = name, claimed_at = now, since = now, acks = old and old.acks or '',
  }
  records[i] = pack(r)
  redis.call('ZREM', open, m)
  redis.call('HSET', claims, m, records[i])
  if lease_ms > 0 then redis.call('ZADD', leases, int(lease_until), m) end
  kept[#kept + 1], kept[#kept + 2] = m, int(r.attempt)
end
if lease_ms > 0 then
  if redis.call('ZRANGE', leases, 0, 0)[1] == taken[1] then wake_up('one') end
end
note_leases()
remember(unpack(kept))
if watched and watched > now then
  for _, m in ipairs(taken) do redis.pcall('SPUBLISH', wake .. ':' .. m, 'claimed') end
end
return ok('claimed', ttl, entries, records, ended)
