--[[
invitations/revoke: from now on nobody joins by this invitation. Who has joined stays. Again changes nothing.

@slot channel
@flags allow-oom
@key meta     hash
@key invites  hash
@key events   stream
@key idem     string
@arg key      text  who asks: who made it, or the channel's owner
@arg id       text  the invitation
@arg idem_ms  int
@arg body     text
@ok  revoked   invitation id, made at, revoked at, by key, its label, channel's name, mode, description
@ok  replayed  the same
@no  channel_not_found
@no  invitation_not_found
@no  invitation_expired
@no  forbidden
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/channel
--- @include lib/invitation
--- @include lib/event

local facts, reused = seen()
if reused then return reused end
if facts then return shown('replayed') end
if key ~= creator and key ~= redis.call('HGET', meta, 'owner') then return refuse('forbidden') end
if revoked == 0 then
  revoked = now
  redis.call('HSET', invites, id, table.concat({ int(created), creator, creator_label, int(revoked) }, '\31'))
  tell('invitation_revoked', '', id)
end
remember('1')
return shown('revoked')
