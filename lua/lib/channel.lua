-- Reads `meta` into locals; ends the script with channel_not_found where there is none.
local mode, access, owner, ttl, retention, last, rev, deadline, paused, max_messages, max_writes = unpack(redis.call('HMGET', meta,
  'mode', 'access', 'owner', 'ttl', 'retention', 'last', 'rev', 'deadline', 'paused', 'max_messages', 'max_writes_per_minute'))
if not mode then return refuse('channel_not_found') end
ttl, retention, last, rev, deadline = ttl * 1000000, retention * 1000000, last + 0, rev + 0, deadline + 0
-- Older than `dead`: history. Older than `gone_by`: past retention.
local dead = now - ttl
local gone_by = dead - retention
