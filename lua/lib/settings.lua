-- What scripts need of a channel's record is packed into one of its fields, `settings`: one lookup instead of ten, and no texts to be
-- turned into numbers. Whoever writes one of them packs them again. More may be added behind them: what is nil
-- there was packed by an older release, and is read from the record.
local function packed()
  local mode, access, ttl, retention, rev, deadline, paused, max_messages, max_writes, crowded, url = unpack(redis.call('HMGET', meta,
    'mode', 'access', 'ttl', 'retention', 'rev', 'deadline', 'paused', 'max_messages', 'max_writes_per_minute', 'crowded', 'webhook_url'))
  return cmsgpack.pack(mode, access == 'restricted', ttl + 0, retention + 0, rev + 0, deadline + 0, paused == '1',
    tonumber(max_messages), tonumber(max_writes), crowded == '1', (url or '') ~= '')
end
local function pack_settings() redis.call('HSET', meta, 'settings', packed()) end
