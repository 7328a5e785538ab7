--[[
usage/channel_add: add what a replica counted in a channel to the channel's counters.

@slot channel
@flags allow-oom
@key meta     hash
@arg claims   int
@arg acks     int
@arg releases int
@ok  counted
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

for name, count in pairs({ claims_counted = claims, acks_counted = acks, releases_counted = releases }) do
  if count > 0 then redis.call('HINCRBY', meta, name, count) end
end
return ok('counted')
