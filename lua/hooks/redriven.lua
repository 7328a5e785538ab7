--[[
hooks/redriven: this dead letter is in the queue again.

@slot hook
@flags allow-oom
@key dead        hash
@key dead_index  zset
@arg id          text
@ok  redriven
@ok  unknown
]]
--- @include lib/answer

redis.call('ZREM', dead_index, id)
return ok(redis.call('HDEL', dead, id) == 1 and 'redriven' or 'unknown')
