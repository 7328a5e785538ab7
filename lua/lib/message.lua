-- Reads the message `n` of `log`; ends the script with message_not_found or message_expired. Gives `entry` (stream entry) and `record`.
--- @include lib/number
--- @include lib/record
local entry = redis.call('XRANGE', log, sid(n), sid(n))[1]
if not entry or n <= gone_by then return refuse('message_not_found') end
if n <= dead then return refuse('message_expired') end
local record = parse(redis.call('HGET', claims, int(n)))
