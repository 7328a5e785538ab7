--[[
webhooks/owner: whether a key owns the channel, whose webhook only its owner sees.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text
@ok  owner    whether it has a webhook, 0|1
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
]]
--- @include lib/answer
--- @include lib/owner

return ok('owner', (redis.call('HGET', meta, 'webhook_url') or '') ~= '' and 1 or 0)
