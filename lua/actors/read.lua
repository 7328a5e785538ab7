--[[
actors/read: an actor's record.

@slot key
@flags no-writes
@key book      hash
@key nicknames hash
@arg id        text
@ok  actor  name, owner, owner's label, made at, metadata, description, joined by \31; when its aliases changed last and they, each ended by \31
@no  actor_not_found
]]
--- @include lib/answer

local record = redis.call('HGET', book, id)
if not record then return refuse('actor_not_found') end
return ok('actor', record, redis.call('HGET', nicknames, id) or '')
