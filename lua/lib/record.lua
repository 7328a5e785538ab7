-- The claim record of a message, a field of `claims`: nine parts and the acks, joined by \31.
-- state: h held · o open again · d done · b broadcast, acks only. lease_until 0: held until ack or expiry.
-- acks: actor, time, name, each ended by \31, repeated.
local RECORD = '^(%a)\31(%d+)\31(%d+)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31(%d+)\31(%d+)\31(.*)$'
local function parse(text)
  if not text or text == '' then return nil end
  local r = {}
  r.state, r.attempt, r.lease_until, r.secret, r.key, r.actor, r.name, r.claimed_at, r.since, r.acks = string.match(text, RECORD)
  r.attempt, r.lease_until, r.claimed_at, r.since = r.attempt + 0, r.lease_until + 0, r.claimed_at + 0, r.since + 0
  return r
end
local function pack(r)
  return table.concat({ r.state, string.format('%d\31%d', r.attempt, r.lease_until), r.secret, r.key, r.actor, r.name,
    string.format('%d\31%d', r.claimed_at, r.since), r.acks }, '\31')
end
-- Whether somebody holds it now: a lease that ran out holds nothing, whether or not it was reclaimed yet.
local function held(r) return r and r.state == 'h' and (r.lease_until == 0 or r.lease_until > now) end
local function open_again(r)
  r.state, r.lease_until, r.secret, r.key, r.actor, r.name, r.claimed_at, r.since = 'o', 0, '', '', '', '', 0, 0
  return pack(r)
end
