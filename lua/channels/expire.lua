--[[
channels/expire: delete a channel that nobody has used for long and that holds nothing any more. Looked at and deleted in one step. Answers
whose it was and what its names are, so that they can be freed.

@slot channel
@flags allow-oom
@key meta      hash
@key members   hash
@key roster    zset
@key log       stream
@key open      zset
@key claims    hash
@key leases    zset
@key retracted zset
@key requests  hash
@key invites   hash
@key events    stream
@key outbox    stream
@key gone      string
@key wake      pubsub
@arg idle_s    int   nobody made, changed or posted to it for so long
@ok  deleted   owner, name, aliases each ended by \31
@ok  used      -- it is in use, keeps messages or their history, or ends by itself; nothing was written
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/used
--- @include lib/number

if used_until() > now - idle_s * 1000000 or redis.call('PTTL', meta) >= 0 then return ok('used') end
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if newest and num(newest[1]) > gone_by then return ok('used') end
if redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf') > 0 then return ok('used') end
if redis.call('XLEN', outbox) > 0 then return ok('used') end
--- @include lib/erase
--- @include lib/wake
local owner, name, aliases = unpack(redis.call('HMGET', meta, 'owner', 'name', 'aliases'))
erase()
wake_up('all')
return ok('deleted', owner, name or '', aliases or '')
