--[[
invitations/route: note which channel an invitation leads to. Second of two steps, after the channel knows the invitation.

@slot invitation
@key route    string  channel id, made at (µs), joined by \31
@arg id       text    channel id
@arg created  int
@ok  routed
]]
--- @include lib/answer
--- @include lib/number

-- A day longer than the invitation lives: who comes late is told that it has ended.
redis.call('SET', route, id .. '\31' .. int(created), 'PXAT', int(math.floor(created / 1000) + 172800000))
return ok('routed')
