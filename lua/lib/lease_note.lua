-- Keeps whether the leases that run are nearly as many as may (lib/lease_room).
local near = running > lease_cap - 1000
if near ~= (leased_out or false) then
  --- @include lib/settings
  redis.call('HSET', meta, 'leased_out', near and '1' or '0')
  pack_settings()
end
