-- Reads the channel's settings (lib/settings) into locals; ends the script with channel_not_found where there is none.
-- Until `watched` somebody may wait for a receipt (messages/watch): a message that is claimed, done or retracted says so on its own topic.
-- Where `full_until` is set, the channel's owner held as much as it may (lib/full).
local settings = redis.call('HGET', meta, 'settings')
if not settings then
  --- @include lib/answer
  return refuse('channel_not_found')
end
local mode, restricted, ttl, retention, rev, deadline, paused, max_messages, max_writes, crowded, watched, schema_rev, leased_out, hooked,
  full_until = cmsgpack.unpack(settings)
if hooked == nil then hooked = (redis.call('HGET', meta, 'webhook_url') or '') ~= '' end -- packed by an older release
ttl, retention = ttl * 1000000, retention * 1000000
-- Older than `dead`: history. Older than `gone_by`: past retention.
local dead = now - ttl
local gone_by = dead - retention
