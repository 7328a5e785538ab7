--[[
channels/end_after: a channel that ends by itself, unless it is asked for again.

@slot channel
@key meta     hash
@key members  hash
@key roster   zset
@key requests hash
@key invites  hash
@key events   stream
@key outbox   stream
@arg key      text  who asks: its owner
@arg life_ms  int
@ok  ends
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner

for _, name in ipairs({ meta, members, roster, requests, invites, events, outbox }) do redis.call('PEXPIRE', name, life_ms) end
return ok('ends')
