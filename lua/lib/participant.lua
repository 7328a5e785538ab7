-- Reads the participant of the arg `participant` (lib/person); ends the script where there is none.
local person = redis.call('HGET', people, participant)
if not person then return { 'participant_not_in_channel', now } end
--- @include lib/person
