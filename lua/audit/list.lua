--[[
audit/list: the newest events that concern a key.

@slot key
@flags no-writes
@key audit    stream
@arg limit    int
@arg keep_ms  int  what is older is not shown
@ok  events   entries, newest first
]]
--- @include lib/answer
--- @include lib/number

return ok('events', redis.call('XREVRANGE', audit, '+', sid(math.max(now - keep_ms * 1000, 0)), 'COUNT', limit))
