--[[
channels/full: take no posts into the channel for some seconds, since the key that owns it holds as much as it may; or take them again.

@slot channel
@flags allow-oom
@key meta     hash
@arg seconds  int  from now, at most 60; 0: take them again
@ok  marked
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/number
--- @include lib/settings

if seconds > 0 then
  redis.call('HSET', meta, 'full_until', int(now + seconds * 1000000))
elseif full_until then
  redis.call('HDEL', meta, 'full_until')
end
if seconds > 0 or full_until then pack_settings() end
return ok('marked')
