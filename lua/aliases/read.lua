--[[
aliases/read: which channel or actor a global alias stands for.

@slot alias
@flags no-writes
@key alias  string
@ok  bound  its id, or empty
]]
--- @include lib/answer

return ok('bound', redis.call('GET', alias) or '')
