--[[
claims/give_back: undo a claim whose client hung up before the answer, if that very claim (key, attempt, secret) is still the current one.

@slot channel
@flags allow-oom
@key meta     hash
@key open     zset
@key claims   hash
@key leases   zset
@key log      stream
@key wake     pubsub
@arg key      text  who claimed
@arg n        int   the message
@arg attempt  int   the claim that is to be undone
@arg secret   text  of that claim
@ok  returned
@ok  kept      it is no longer the current claim: nothing was written
@no  channel_not_found
]]
--- @include lib/answer
--- @include lib/channel
--- @include lib/number
--- @include lib/record
--- @include lib/wake

local r = parse(redis.call('HGET', claims, int(n)))
if not held(r) or r.attempt ~= attempt or r.key ~= key or r.secret ~= secret then return ok('kept') end
redis.call('HSET', claims, int(n), open_again(r))
redis.call('ZREM', leases, int(n))
if n > dead then
  redis.call('ZADD', open, int(n), int(n))
  wake_up('one')
end
return ok('returned')
