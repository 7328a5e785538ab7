-- The channel's record for those who show it: all fields but the packed one, which is no text.
local function fields()
  local all = redis.call('HGETALL', meta)
  for i = 1, #all, 2 do
    if all[i] == 'settings' then
      table.remove(all, i)
      table.remove(all, i)
      break
    end
  end
  return all
end
