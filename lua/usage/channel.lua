--[[
usage/channel: how many messages a channel holds, history included, and how many of them were claimed at least once.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@key claims   hash
@arg key      text  who asks
@ok  holds    messages, claimed
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access

-- On a broadcast channel the records are acks, not claims. Besides records there are the placeholder, results, and how many those are.
local claimed = 0
if mode == 'claimable' then
  local placeholder, results = unpack(redis.call('HMGET', claims, '-', 'results'))
  claimed = redis.call('HLEN', claims) - (placeholder and 1 or 0) - (results and results + 1 or 0)
end
return ok('holds', redis.call('XLEN', log), claimed)
