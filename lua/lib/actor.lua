-- Ends the script unless `id` is an actor of `key`. `book` has the actors of all keys of the slot.
local actor = redis.call('HGET', book, id)
if not actor then return refuse('actor_not_found') end
if string.match(actor, '^[^\31]*\31([^\31]*)') ~= key then return refuse('actor_forbidden') end
