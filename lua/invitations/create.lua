--[[
invitations/create: make an invitation to a channel.

First of two steps: a crash after it leaves an invitation whose id nobody was told and that leads nowhere; it ends by itself.

@slot channel
@key meta     hash
@key members  hash
@key invites  hash  invitation id → made at (µs), by key, its label, revoked at (µs) or 0, joined by \31
@key idem     string
@arg key      text  who invites
@arg id       text
@arg label    text
@arg cap      int   most invitations of a channel that were made within 24 h
@arg idem_ms  int
@arg body     text
@ok  created   invitation id, made at, revoked at, by key, its label, channel's name, mode, description
@ok  replayed  the same
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  quota_exceeded
@no  invitation_not_found  on a retry: it is past its life
@no  invitation_expired    on a retry
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/owner
--- @include lib/number

local facts, reused = seen()
if reused then return reused end
if facts then
  id = facts[1]
  --- @include lib/invitation
  return shown('replayed')
end
if redis.call('HLEN', invites) >= cap then
  -- At most `cap` of them.
  local all, ended = redis.call('HGETALL', invites), {}
  for i = 1, #all, 2 do
    if string.match(all[i + 1], '^%d+') + 86400000000 <= now then ended[#ended + 1] = all[i] end
  end
  if #ended == 0 then return refuse('quota_exceeded', 'limit', 'invitations_per_channel', 'value#', cap) end
  redis.call('HDEL', invites, unpack(ended))
end
redis.call('HSET', invites, id, table.concat({ int(now), key, label, '0' }, '\31'))
redis.call('EXPIRE', invites, 172800)
remember(id)
--- @include lib/invitation
return shown('created')
