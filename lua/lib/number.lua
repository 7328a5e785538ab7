-- Message numbers (µs). int: as text, all digits. sid: as stream id. digits, num: back from a stream id, as text and as number.
local function int(n) return string.format('%d', n) end
local function sid(n) return string.format('%d-0', n) end
local function digits(id) return string.match(id, '^%d+') end
local function num(id) return digits(id) + 0 end
