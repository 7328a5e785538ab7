--[[
webhooks/sweep_leave: take a channel out of the index of outboxes, unless it was put there again meanwhile.

@slot outboxes
@flags allow-oom
@key index    zset
@arg id       text
@arg score    text  as it was read, before the outbox was found empty
@ok  left
@ok  kept
]]
--- @include lib/answer

if redis.call('ZSCORE', index, id) ~= score then return ok('kept') end
redis.call('ZREM', index, id)
return ok('left')
