-- Reads the invitation `id` into locals; ends the script where the channel does not know it. It lives for 24 h.
local known = redis.call('HGET', invites, id)
if not known then return refuse('invitation_not_found') end
local created, creator, creator_label, revoked = string.match(known, '^(%d+)\31([^\31]*)\31([^\31]*)\31(%d+)$')
created, revoked = created + 0, revoked + 0
if revoked == 0 and created + 86400000000 <= now then return refuse('invitation_expired') end
local name, description = unpack(redis.call('HMGET', meta, 'name', 'description'))
-- What the one who holds the invitation is shown of it.
local function shown(word) return ok(word, id, created, revoked, creator, creator_label, name, mode, description or '') end
