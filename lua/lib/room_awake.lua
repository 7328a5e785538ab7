-- As lib/room; ends the script unless the room is awake.
--- @include lib/room
if state == 'over' then return { 'over', now, reason, over_at } end
if state == 'asleep' then return { 'asleep', now } end
