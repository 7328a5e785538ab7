--[[
hooks/redriven: these dead letters are in the queue again.

@slot hook
@flags allow-oom
@key dead        hash
@key dead_index  zset
@rest            ids; at most 100
@ok  redriven    how many
]]
--- @include lib/answer

if #rest > 0 then
  redis.call('HDEL', dead, unpack(rest))
  return ok('redriven', redis.call('ZREM', dead_index, unpack(rest)))
end
return ok('redriven', 0)
