-- The claim record of the message `n` (text), as lib/record has it, without functions: `record` is its text, false where there is none; the others
-- are its parts, as text, but for lease_until. `held`: somebody holds it now; a lease that ran out holds nothing, whether or not it was reclaimed yet.
local record = redis.call('HGET', claims, n)
local state, attempt, lease_until, its_secret, its_key, its_actor, its_name, claimed_at, since, acks, held
if record then
  state, attempt, lease_until, its_secret, its_key, its_actor, its_name, claimed_at, since, acks = string.match(record,
    '^(%a)\31(%d+)\31(%d+)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31(%d+)\31(%d+)\31(.*)$')
  lease_until = lease_until + 0
  held = state == 'h' and (lease_until == 0 or lease_until > now)
end
