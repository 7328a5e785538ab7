-- Message numbers (µs). int: as text, all digits. sid: as stream id. num: back from a stream id.
local function int(n) return string.format('%d', n) end
local function sid(n) return string.format('%d-%d', math.floor(n / 1000), n % 1000) end
local function num(id)
  local ms, us = string.match(id, '^(%d+)-(%d+)$')
  return ms * 1000 + us
end
