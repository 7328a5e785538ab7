--[[
webhooks/index_enter: put a channel into the index of outboxes, before its first outbox entry is written.

First of two steps: a crash after it leaves an entry of a channel whose outbox is empty, which who sweeps takes off. A replica does
this again after ten minutes only, so an entry younger than that must stay, whatever its outbox holds: between this and the entry that
it was done for, the outbox may be empty.

@slot outboxes
@key index zset  channel ids by when they were last put there (µs)
@arg id    text
@ok  entered
]]
--- @include lib/answer
--- @include lib/number

redis.call('ZADD', index, int(now), id)
return ok('entered')
