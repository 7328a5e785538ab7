-- What scripts need of a channel's record is packed into one of its fields, `settings`: one lookup instead of ten, and no texts to be
-- turned into numbers. Whoever writes one of them packs them again. More may be added behind them: what is nil
-- there was packed by an older release, and is read from the record.
local function packed()
  local mode, access, ttl, retention, rev, deadline, paused, max_messages, max_writes, crowded, watched, schema_rev, leased_out, url, full_until =
    unpack(redis.call('HMGET', meta, 'mode', 'access', 'ttl', 'retention', 'rev', 'deadline', 'paused', 'max_messages',
      'max_writes_per_minute', 'crowded', 'watched', 'schema_rev', 'leased_out', 'webhook_url',
      'full_until'))
  return cmsgpack.pack(mode, access == 'restricted', ttl + 0, retention + 0, rev + 0, deadline + 0, paused == '1',
    tonumber(max_messages), tonumber(max_writes), crowded == '1', tonumber(watched),
    schema_rev and schema_rev ~= '' and schema_rev or nil, leased_out == '1', (url or '') ~= '', tonumber(full_until))
end
local function pack_settings() redis.call('HSET', meta, 'settings', packed()) end
