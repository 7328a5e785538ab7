-- Which history this Redis writes: another id after a failover or a restart, either of which may have lost the newest writes.
local function history_id()
  local about = redis.pcall('INFO', 'replication')
  return type(about) == 'string' and string.match(about, 'master_replid:(%x+)') or ''
end
