--[[
rooms/admit: may this client address send, or join, once more? Takes a token of its bucket, unless it is refused.

@slot address
@key bucket    string  what is left of the hour
@arg per_hour  int
@ok  open
@ok  rate_limited  retry after ms
]]
--- @include lib/answer
--- @include lib/bucket
if wait_ms() > 0 then return ok('rate_limited', wait_ms()) end
take()
return ok('open')
