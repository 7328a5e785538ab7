--[[
audit/list_all: a page of the audit of the whole instance, newest first.

@slot mint
@flags no-writes
@key audit_of_all stream
@arg before   int  events before this number; 0: from the newest
@arg limit    int
@arg keep_ms  int  what is older is not shown
@ok  events   entries, newest first
]]
--- @include lib/answer
--- @include lib/number

local from = before > 0 and '(' .. sid(before) or '+'
return ok('events', redis.call('XREVRANGE', audit_of_all, from, sid(math.max(now - keep_ms * 1000, 0)), 'COUNT', limit))
