--[[
invitations/resolve: who holds an invitation joins its channel, if that is restricted, and learns which one it is. Again changes nothing.

@slot channel
@key meta     hash
@key members  hash
@key roster   zset
@key invites  hash
@key events   stream
@arg key      text  who joins
@arg id       text  the invitation
@arg cap      int   most members of a channel
@ok  joined    invitation id, made at, revoked at, by key, its label, channel's name, mode, description
@ok  known     the same: it was in before
@no  channel_not_found
@no  invitation_not_found
@no  invitation_expired
@no  invitation_revoked
@no  quota_exceeded
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/invitation
--- @include lib/event
--- @include lib/let_in

if revoked > 0 then return refuse('invitation_revoked') end
if not restricted or redis.call('HEXISTS', members, key) == 1 then return shown('known') end
if redis.call('HLEN', members) >= cap then return refuse('quota_exceeded', 'limit', 'members_per_channel', 'value#', cap) end
let_in(key, id)
tell('invitation_resolved', key, id)
return shown('joined')
