--[[
hooks/deliveries: the newest tries of deliveries, the newest first.

@slot hook
@flags no-writes
@key deliveries  stream
@arg limit       int
@ok  page        entries
]]
--- @include lib/answer

return ok('page', redis.call('XREVRANGE', deliveries, '+', '-', 'COUNT', limit))
