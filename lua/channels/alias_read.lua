--[[
channels/alias_read: which channel a global alias stands for.

@slot alias
@flags no-writes
@key alias  string
@ok  bound  channel id, or empty
]]
--- @include lib/answer

return ok('bound', redis.call('GET', alias) or '')
