-- The step of claims/ack and claims/ack_with_result. `result` is nil where none was sent.
--- @include lib/access
--- @include lib/first_answer
--- @include lib/message
if facts and record then return cmsgpack.pack({ 'replayed', now, ttl, entry, record }) end

-- An id is followed by a time; a name that looks like one is not.
local acked = acks and acks ~= '' and string.find('\31' .. acks, '\31' .. actor .. '\31%d')
local done = state == 'd'
if mode == 'broadcast' then
  local MOST_ACKS = 1000
  if acked then return cmsgpack.pack({ 'already_acknowledged', now, ttl, entry, record }) end
  local _, parts = string.gsub(acks or '', '\31', '')
  if parts >= MOST_ACKS * 3 then
    --- @include lib/answer
    return refuse('too_many_acks')
  end
elseif done or not held or secret ~= '' and (its_secret ~= secret or its_key ~= key) or secret == '' and its_actor ~= actor then
  --- @include lib/answer
  if done and (secret ~= '' and secret == its_secret and key == its_key or secret == '' and acked) then
    return ok('already_acknowledged', ttl, entry, record)
  end
  if secret ~= '' and not (held and its_secret == secret and its_key == key) then
    return refuse('lease_lost', 'attempt#', (attempt or 0) + 0, 'state', held and 'claimed' or done and 'done' or 'open')
  end
  if done then return refuse('already_claimed', 'claimed_by', its_name, 'state', 'done') end
  if not held then return refuse('not_claimed') end
  return refuse('already_claimed', 'claimed_by', its_name, 'state', 'claimed')
elseif secret ~= '' then
  -- The token of the running lease is proof enough; without one the actor has to be the holder.
  actor, name = its_actor, its_name
end

local leased = record and lease_until > 0
if result then
  --- @include lib/full
end
local ack = actor .. '\31' .. now_text .. '\31' .. name .. '\31'
if record then
  record = (mode == 'broadcast' and 'b' or 'd') .. '\31' .. attempt .. '\0310\31' .. its_secret .. '\31' .. its_key .. '\31' .. its_actor .. '\31'
    .. its_name .. '\31' .. claimed_at .. '\31' .. since .. '\31' .. acks .. ack
else
  record = 'b\0310\0310\31\31\31\31\0310\0310\31' .. ack -- nobody claims what is broadcast
end
redis.call('HSET', claims, n, record)
if leased then redis.call('ZREM', leases, n) end
if result then
  --- @include lib/result
  keep_result(n, actor, name)
end
if idem_ms > 0 then
  --- @include lib/answer
  --- @include lib/once
  remember(attempt or '0')
end
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. n, 'done') end
if result and now % 32 * 1024 <= #result then
  --- @include lib/in_memory
  return cmsgpack.pack({ 'acknowledged', now, ttl, entry, record, leased and 1 or 0, owner, in_memory, deadline })
end
return cmsgpack.pack({ 'acknowledged', now, ttl, entry, record, leased and 1 or 0 })
