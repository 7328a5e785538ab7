-- As lib/room_life, for who has the token (arg `token`: its SHA-256); a wrong one is no room.
--- @include lib/room_life
if digest ~= token then return { 'unknown', now } end
