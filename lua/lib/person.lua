-- What stands in the record `person`: `place` (in the order of joining), `noticed`, `parked_until`, `given` (the index up to which it was given
-- the log) and `about`: fingerprint of the key, name.
local place, noticed, parked_until, given, about = string.match(person, '^(%d+)\31(%d+)\31(%d+)\31(%d+)\31(.*)$')
noticed, parked_until, given = noticed + 0, parked_until + 0, given + 0
