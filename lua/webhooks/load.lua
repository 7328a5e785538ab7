--[[
webhooks/load: what is needed to push something of a channel, but for the messages: where to, and which of them are still told of.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg reader   text  key that must be able to read the channel, or empty
@ok  loaded   URL, secret, owner, ttl (µs), up to which number messages are past their retention
@ok  stranger -- the reader cannot read the channel any more
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

if reader ~= '' and restricted and redis.call('HEXISTS', members, reader) == 0 then return ok('stranger') end
local url, secret, owner = unpack(redis.call('HMGET', meta, 'webhook_url', 'webhook_secret', 'owner'))
return ok('loaded', url or '', secret or '', owner, ttl, gone_by)
