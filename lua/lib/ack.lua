-- The step of claims/ack and claims/ack_with_result. `result` is nil where none was sent.
--- @include lib/answer
--- @include lib/once
--- @include lib/access

local MOST_ACKS = 1000
local facts, reused = seen()
if reused then return reused end
--- @include lib/message
if facts and record then return ok('replayed', ttl, entry, pack(record)) end

-- An id is followed by a time; a name that looks like one is not.
local acked = record and string.find('\31' .. record.acks, '\31' .. actor .. '\31%d')
if mode == 'broadcast' then
  if acked then return ok('already_acknowledged', ttl, entry, pack(record)) end
  local _, parts = string.gsub(record and record.acks or '', '\31', '')
  if parts >= MOST_ACKS * 3 then return refuse('too_many_acks') end
else
  if record and record.state == 'd' and (secret ~= '' and secret == record.secret and key == record.key or secret == '' and acked) then
    return ok('already_acknowledged', ttl, entry, pack(record))
  end
  if secret ~= '' and not (held(record) and record.secret == secret and record.key == key) then
    local state = held(record) and 'claimed' or record and record.state == 'd' and 'done' or 'open'
    return refuse('lease_lost', 'attempt#', record and record.attempt or 0, 'state', state)
  end
  if record and record.state == 'd' then return refuse('already_claimed', 'claimed_by', record.name, 'state', 'done') end
  if not held(record) then return refuse('not_claimed') end
  -- The token of the running lease is proof enough; without one the actor has to be the holder.
  if secret ~= '' then actor, name = record.actor, record.name end
  if record.actor ~= actor then return refuse('already_claimed', 'claimed_by', record.name, 'state', 'claimed') end
end

local leased = record and record.lease_until > 0
if result then
  --- @include lib/full
end
local r = record or { attempt = 0, lease_until = 0, secret = '', key = '', actor = '', name = '', claimed_at = 0, since = 0, acks = '' }
r.state = mode == 'broadcast' and 'b' or 'd'
r.lease_until = 0
r.acks = r.acks .. actor .. '\31' .. int(now) .. '\31' .. name .. '\31'
redis.call('HSET', claims, int(n), pack(r))
redis.call('ZREM', leases, int(n))
if result then
  --- @include lib/result
  keep_result(int(n), actor, name)
end
remember(int(r.attempt))
if watched and watched > now then redis.pcall('SPUBLISH', wake .. ':' .. int(n), 'done') end
if result and now % 32 * 1024 <= #result then
  --- @include lib/in_memory
  return ok('acknowledged', ttl, entry, pack(r), leased and 1 or 0, owner, in_memory, deadline)
end
return ok('acknowledged', ttl, entry, pack(r), leased and 1 or 0)
