--[[
replication/mark: a write behind what was done before: a replica that confirms it has that too, since replication is one ordered stream.

@slot channel
@flags allow-oom
@key mark  string
@ok  marked  which history of writes this is part of: another one after a failover or a restart
]]
--- @include lib/answer
--- @include lib/replication

redis.call('SET', mark, '1', 'PX', 1000)
return ok('marked', history_id())
