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

-- On a broadcast channel the records are acks, not claims. Besides records there are the placeholder, results, and how many those are.
local claimed = 0
if mode == 'claimable' then
  local placeholder, results = unpack(redis.call('HMGET', claims, '-', 'results'))
  claimed = redis.call('HLEN', claims) - (placeholder and 1 or 0) - (results and results + 1 or 0)
end
local _, aliases = string.gsub(redis.call('HGET', meta, 'aliases') or '', '\31', '')
return ok('holds', redis.call('XLEN', log), claimed, redis.call('MEMORY', 'USAGE', log) or 0,
  redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf'), redis.call('HLEN', members), redis.call('HLEN', requests),
  redis.call('HLEN', invites), aliases)
