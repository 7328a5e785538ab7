--[[
usage/channel: how much a channel holds, history included, and how many of its messages were claimed at least once.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key requests hash
@key invites  hash
@key log      stream
@key claims   hash
@key leases   zset
@arg key      text  who asks
@ok  holds    messages, claimed, bytes of the messages, running leases, members, access requests, invitations, aliases
@no  channel_not_found
@no  channel_access_denied
]]
--- @include lib/answer
--- @include lib/access
--- @include lib/number

-- On a broadcast channel the records are acks, not claims. One field is the placeholder.
local claimed = mode == 'claimable' and redis.call('HLEN', claims) - redis.call('HEXISTS', claims, '-') or 0
local _, aliases = string.gsub(redis.call('HGET', meta, 'aliases') or '', '\31', '')
return ok('holds', redis.call('XLEN', log), claimed, redis.call('MEMORY', 'USAGE', log) or 0,
  redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf'), redis.call('HLEN', members), redis.call('HLEN', requests),
  redis.call('HLEN', invites), aliases)
