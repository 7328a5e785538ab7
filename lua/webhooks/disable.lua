--[[
webhooks/disable: take a channel's webhook away because its target is gone; its events say so.

@slot channel
@flags allow-oom
@key meta     hash
@key events   stream
@arg url      text  as it was when it failed: one that was set since stays
@ok  disabled
@ok  changed  -- it is another one by now, or none
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/settings

if redis.call('HGET', meta, 'webhook_url') ~= url then return ok('changed') end
local key = redis.call('HGET', meta, 'owner')
--- @include lib/event
redis.call('HDEL', meta, 'webhook_url', 'webhook_secret')
pack_settings()
tell('webhook_disabled', '', '')
return ok('disabled')
