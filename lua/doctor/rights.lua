--[[
doctor/rights: which commands the user of this connection may not run. Nothing is run.

@slot channel
@flags no-writes
@rest  a command a line, with keys or topics, as words
@ok denied  those lines
]]
--- @include lib/answer

local denied = {}
for _, line in ipairs(rest) do -- the caller's list: about 60
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not known or not allowed then denied[#denied + 1] = line end
end
return ok('denied', unpack(denied))
