--[[
hooks/one: what is kept of one delivery: its job, from the dead letters or from the newest tries.

@slot hook
@flags no-writes
@key deliveries  stream
@key dead        hash
@arg id          text
@ok  tried       job
@ok  dead        facts
@no  delivery_not_found
]]
--- @include lib/answer

local facts = redis.call('HGET', dead, id)
if facts then return ok('dead', facts) end
for _, entry in ipairs(redis.call('XREVRANGE', deliveries, '+', '-', 'COUNT', 200)) do
  if entry[2][2] == id then return ok('tried', entry[2][4]) end
end
return refuse('delivery_not_found')
