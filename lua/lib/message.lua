-- Reads the message `n` (text) of `log`; ends the script with message_not_found or message_expired. Gives `entry` (stream entry), and of its
-- claim record what lib/record_parts says.
local entry = redis.call('XRANGE', log, n, n)[1]
if not entry or n + 0 <= dead then
  --- @include lib/answer
  return refuse(entry and n + 0 > gone_by and 'message_expired' or 'message_not_found')
end
--- @include lib/record_parts
