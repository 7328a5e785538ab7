--[[
invitations/find: which channel an invitation leads to.

@slot invitation
@flags no-writes
@key route  string
@ok  found  channel id
@no  invitation_not_found
@no  invitation_expired
]]
--- @include lib/answer

local known = redis.call('GET', route)
if not known then return refuse('invitation_not_found') end
local id, created = string.match(known, '^([^\31]*)\31(%d+)$')
-- The channel may have forgotten it by now.
if created + 86400000000 <= now then return refuse('invitation_expired') end
return ok('found', id)
