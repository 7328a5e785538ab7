--[[
hooks/one: what is kept of one delivery: its job, from the dead letters or from the newest tries.

@slot hook
@flags no-writes
@key tries       list
@key dead        hash
@arg id          text
@ok  tried       job
@ok  dead        facts
@no  delivery_not_found
]]
--- @include lib/answer

local facts = redis.call('HGET', dead, id)
if facts then return ok('dead', facts) end
for _, try in ipairs(redis.call('LRANGE', tries, 0, 199)) do
  local before = string.find(try, '\31' .. id .. '\31', 1, true) -- a job begins with its delivery
  if before then return ok('tried', string.sub(try, before + 1)) end
end
return refuse('delivery_not_found')
