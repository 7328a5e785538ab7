-- Who owns the channel, and what it holds in memory: messages, claim records, results, the index of what can be claimed. Redis samples.
local owner = redis.call('HGET', meta, 'owner')
local in_memory = 0
for _, name in ipairs({ log, claims, open }) do in_memory = in_memory + (redis.call('MEMORY', 'USAGE', name) or 0) end
