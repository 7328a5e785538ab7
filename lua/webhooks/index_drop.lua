--[[
webhooks/index_drop: take a channel that is gone for good out of the index of outboxes. Its id is never used again.

@slot outboxes
@flags allow-oom
@key index zset
@arg id    text
@ok  dropped
]]
--- @include lib/answer

redis.call('ZREM', index, id)
return ok('dropped')
