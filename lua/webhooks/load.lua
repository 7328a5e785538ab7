--[[
webhooks/load: what is needed to push something of a channel: where to, and the messages it is about.

@slot channel
@flags no-writes
@key meta     hash
@key members  hash
@key log      stream
@key claims   hash
@arg reader   text  key that must be able to read the channel, or empty
@rest         numbers of messages; at most 64
@ok  loaded   URL, secret, owner, ttl (µs); then of each number the message, its claim record. No message: it was retracted, or is past its
              retention
@ok  stranger -- the reader cannot read the channel any more
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel

if reader ~= '' and restricted and redis.call('HEXISTS', members, reader) == 0 then return ok('stranger') end
local url, secret, owner = unpack(redis.call('HMGET', meta, 'webhook_url', 'webhook_secret', 'owner'))
local told = { url or '', secret or '', owner, ttl }
local records = #rest > 0 and redis.call('HMGET', claims, unpack(rest))
-- Those of a busy channel follow each other: as many as were asked for, from the first one on, are most or all of them.
local found = {}
if #rest > 1 then
  for _, entry in ipairs(redis.call('XRANGE', log, rest[1] .. '-0', rest[#rest] .. '-0', 'COUNT', #rest)) do found[entry[1]] = entry end
end
for i, n in ipairs(rest) do
  local id = n .. '-0'
  told[#told + 1] = n + 0 > gone_by and (found[id] or redis.call('XRANGE', log, id, id)[1]) or {}
  told[#told + 1] = records[i] or ''
end
return ok('loaded', unpack(told))
