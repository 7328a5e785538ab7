--[[
rooms/counts: how many rooms there are, and what became of all.

@slot rooms
@flags no-writes
@key awake     zset
@key asleep    zset
@key totals    hash
@ok  counts    awake, asleep, totals
]]
--- @include lib/answer
return ok('counts', redis.call('ZCARD', awake), redis.call('ZCARD', asleep), redis.call('HGETALL', totals))
