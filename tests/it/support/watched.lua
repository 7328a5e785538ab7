local now_text = ARGV[#ARGV]
local now = now_text + 0
local wakes = {}
local real, declared = redis, {}
for _, k in ipairs(KEYS) do declared[k] = true end
local function checked(how) return function(command, ...)
  if command == 'INFO' then return real[how](command, ...) end -- has no key
  local given = { ... }
  local several = command == 'DEL' or command == 'UNLINK' or command == 'EXISTS'
  local first = (command == 'XINFO' or command == 'XGROUP' or command == 'MEMORY') and 2 or 1
  for i = first, several and #given or first do
    -- The topic of one message of the channel: the channel's, and its number.
    local name = command == 'SPUBLISH' and string.gsub(given[i], ':%d+$', '') or given[i]
    if not declared[name] then error(command .. ' of a key that is not declared: ' .. tostring(given[i])) end
  end
  if command == 'SPUBLISH' then wakes[#wakes + 1] = given[2] end
  return real[how](command, ...)
end end
local redis = { call = checked('call'), pcall = checked('pcall'), acl_check_cmd = real.acl_check_cmd }
local function script()
