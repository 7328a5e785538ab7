-- Who owns the channel, and what it holds in memory: messages, claim records, results, the index of what can be claimed. Redis samples.
local owner = redis.call('HGET', meta, 'owner')
local of_log = redis.call('MEMORY', 'USAGE', log) or 0
local in_memory = of_log + (redis.call('MEMORY', 'USAGE', claims) or 0) + (redis.call('MEMORY', 'USAGE', open) or 0)
