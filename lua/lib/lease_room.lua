-- Ends the script with quota_exceeded where as many leases run as may (args lease_ms, lease_cap); else `running` says how many run. They
-- are counted near the cap only; about every 32nd lease finds out whether that is near. note_leases() keeps it, after the claim.
--- @include lib/number
--- @include lib/settings
local running = false
if lease_ms > 0 and (leased_out or lease_cap <= 2000 or now % 32 == 0) then
  running = redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf')
  if running >= lease_cap then return refuse('quota_exceeded', 'limit', 'leases_per_channel', 'value#', lease_cap) end
end
local function note_leases()
  local near = running and running > lease_cap - 1000
  if running and near ~= (leased_out or false) then
    redis.call('HSET', meta, 'leased_out', near and '1' or '0')
    pack_settings()
  end
end
