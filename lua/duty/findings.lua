--[[
duty/findings: what was found last.

@slot duty
@flags no-writes
@key findings hash
@ok  findings  names and values
]]
--- @include lib/answer

return ok('findings', redis.call('HGETALL', findings))
