-- Reads the participant of the arg `participant` into `since_join` (its place in the order), `noticed`, `parked_until`, `given` (the index
-- up to which it was given the log) and `about`; ends the script where there is none.
local person = redis.call('HGET', people, participant)
if not person then return ok('participant_not_in_channel') end
local place, noticed, parked_until, given, about = string.match(person, '^(%d+)\31(%d+)\31(%d+)\31(%d+)\31(.*)$')
noticed, parked_until, given = noticed + 0, parked_until + 0, given + 0
