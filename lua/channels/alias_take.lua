--[[
channels/alias_take: bind a global alias to a channel, if it is free or bound to a channel that is known to be gone.

@slot alias
@key alias      string
@arg id         text
@arg instead_of text  or empty
@ok  taken
@ok  mine       the channel had it before
@ok  bound      channel id that has it
]]
--- @include lib/answer

local known = redis.call('GET', alias)
if known == id then return ok('mine') end
if known and known ~= instead_of then return ok('bound', known) end
redis.call('SET', alias, id)
return ok('taken')
