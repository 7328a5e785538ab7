--[[
sessions/read: a session of a key.

@slot key
@flags no-writes
@key sessions  hash
@arg id        text
@ok  session   record
@no  session_not_found
]]
--- @include lib/answer
--- @include lib/session

local record = find(id)
if not record then return refuse('session_not_found') end
return ok('session', record)
