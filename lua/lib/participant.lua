-- Reads the participant of the arg `participant` into `place` (in the order of joining), `noticed`, `parked_until`, `given` (the index up to
-- which it was given the log), `history` (which one Redis wrote then) and `about`; ends the script where there is none.
local person = redis.call('HGET', people, participant)
if not person then return ok('participant_not_in_channel') end
local place, noticed, parked_until, given, history, about = string.match(person, '^(%d+)\31(%d+)\31(%d+)\31(%d+)\31(%x*)\31(.*)$')
noticed, parked_until, given = noticed + 0, parked_until + 0, given + 0
