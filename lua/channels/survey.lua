--[[
channels/survey: how a channel is, for the numbers of the instance. Changes nothing: a message whose lease has ended counts as open, whether or
not it was returned to `open`.

@slot channel
@flags no-writes
@key meta   hash
@key open   zset
@key claims hash
@key leases zset
@ok  channel  open messages, number of the oldest of them or 0, running leases, until when it may have been used (lib/used)
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/used

local live = math.max(dead, 0)
if mode ~= 'claimable' then return ok('channel', 0, 0, 0, used_until()) end
--- @include lib/number
local from = '(' .. int(live)
local count = redis.call('ZCOUNT', open, from, '+inf')
local oldest = tonumber(redis.call('ZRANGEBYSCORE', open, from, '+inf', 'LIMIT', 0, 1)[1])
-- Nobody may have called since these ended. At most 128 are looked at; the others count, but are not asked for their age.
local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', int(now), 'LIMIT', 0, 128)
if #ended > 0 then
  --- @include lib/record
  local records = redis.call('HMGET', claims, unpack(ended))
  for i, m in ipairs(ended) do
    local r = parse(records[i])
    if m + 0 > live and r and r.state == 'h' and not held(r) then
      count = count + 1
      oldest = math.min(oldest or m + 0, m + 0)
    end
  end
  if #ended == 128 then count = count + redis.call('ZCOUNT', leases, '-inf', int(now)) - 128 end
end
return ok('channel', count, oldest or 0, redis.call('ZCOUNT', leases, '(' .. int(now), '(+inf'), used_until())
