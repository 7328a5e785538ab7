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

-- On a broadcast channel the records are acks, not claims. One field is the placeholder.
local claimed = mode == 'claimable' and redis.call('HLEN', claims) - redis.call('HEXISTS', claims, '-') or 0
return ok('holds', redis.call('XLEN', log), claimed)
