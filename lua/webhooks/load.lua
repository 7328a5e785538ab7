--[[
webhooks/load: what is needed to push something of a channel: where to, and the message it is about.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@key claims   hash
@arg n        text  number of the message, or empty
@arg reader   text  key that must be able to read the channel, or empty
@ok  loaded   URL, secret, owner, ttl (µs), message, its claim record; the last two empty where no number was given
@ok  gone     -- the message was retracted, or is past its retention
@ok  stranger -- the reader cannot read the channel any more
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/number

if reader ~= '' and restricted and redis.call('HEXISTS', members, reader) == 0 then return ok('stranger') end
local url, secret, owner = unpack(redis.call('HMGET', meta, 'webhook_url', 'webhook_secret', 'owner'))
local entry, record = '', ''
if n ~= '' then
  entry = redis.call('XRANGE', log, n .. '-0', n .. '-0')[1]
  if not entry or n + 0 <= gone_by then return ok('gone') end
  record = redis.call('HGET', claims, n) or ''
end
return ok('loaded', url or '', secret or '', owner, ttl, entry, record)
