-- As lib/room; ends the script unless the room is awake.
--- @include lib/room
if state == 'over' then return ok('over', reason, over_at) end
if state == 'asleep' then return ok('asleep') end
