--[[
aliases/take: bind a global alias to a channel or an actor, if it is free or bound to one that is known to be gone.

@slot alias
@key alias      string
@arg id         text
@arg instead_of text  or empty
@ok  taken
@ok  mine       it stood for it before
@ok  bound      what it stands for
]]
--- @include lib/answer

local known = redis.call('GET', alias)
if known == id then return ok('mine') end
if known and known ~= instead_of then return ok('bound', known) end
redis.call('SET', alias, id)
return ok('taken')
