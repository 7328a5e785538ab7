--[[
hooks/redriven: these dead letters are in the queue again. One that was given up once more meanwhile stays.

@slot hook
@flags allow-oom
@key dead        hash
@key dead_index  zset
@rest            id, facts of each as they were read; at most 100
@ok  redriven    how many of them left the list
]]
--- @include lib/answer

local left = 0
for i = 1, #rest, 2 do
  if redis.call('HGET', dead, rest[i]) == rest[i + 1] then
    redis.call('HDEL', dead, rest[i])
    redis.call('ZREM', dead_index, rest[i])
    left = left + 1
  end
end
return ok('redriven', left)
