-- Reads the channel's settings (lib/settings) into locals; ends the script with channel_not_found where there is none.
local settings = redis.call('HGET', meta, 'settings')
if not settings then
  --- @include lib/answer
  return refuse('channel_not_found')
end
local mode, restricted, ttl, retention, rev, deadline, paused, max_messages, max_writes, crowded, hooked = cmsgpack.unpack(settings)
if hooked == nil then hooked = (redis.call('HGET', meta, 'webhook_url') or '') ~= '' end -- packed by an older release
ttl, retention = ttl * 1000000, retention * 1000000
-- Older than `dead`: history. Older than `gone_by`: past retention.
local dead = now - ttl
local gone_by = dead - retention
