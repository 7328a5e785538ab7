--[[
webhooks/owner: whether a key owns the channel, whose webhook only its owner sees.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@arg key      text
@arg needed   text  1: only if the channel has a webhook
@ok  owner
@no  channel_not_found
@no  channel_access_denied
@no  forbidden
@no  webhook_not_found
]]
--- @include lib/answer
--- @include lib/owner

if needed == '1' and (redis.call('HGET', meta, 'webhook_url') or '') == '' then return refuse('webhook_not_found') end
return ok('owner')
