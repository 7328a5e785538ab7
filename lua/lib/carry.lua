-- Somebody listens: the message follows its 'more', with what a reader must know to be answered with it at once. `before` is the message
-- before it: who has read up to there misses nothing. `rev` is the access under which it may be read.
local before = redis.call('XREVRANGE', log, '(' .. id .. '-0', '-', 'COUNT', 1)[1]
before = before and string.match(before[1], '^%d+') or '0'
local message = { id, before, string.format('%d', rev), string.format('%d', ttl), head, content, metadata, to or '' }
redis.pcall('SPUBLISH', wake, cjson.encode(message))
