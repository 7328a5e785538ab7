-- The highest number that was given in this channel, also where its message is gone; 0 where there is no log. The log itself keeps it. Reads
-- two messages by the way, so it is not for every call.
--- @include lib/number
local function last_number()
  if redis.call('EXISTS', log) == 0 then return 0 end
  local about = redis.call('XINFO', 'STREAM', log)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return num(about[i + 1]) end
  end
end
