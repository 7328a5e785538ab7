--[[
hooks/deliveries: the newest tries of deliveries, the newest first.

@slot hook
@flags no-writes
@key tries       list
@arg limit       int
@ok  page        tries
]]
--- @include lib/answer

return ok('page', redis.call('LRANGE', tries, 0, limit - 1))
