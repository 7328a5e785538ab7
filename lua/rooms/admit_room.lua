--[[
rooms/admit_room: may this client address make one more room? Takes a token of its bucket and one of its places, unless it is refused.

@slot address
@key bucket    string  what is left of the hour
@key held      zset    rooms of this address by when they were made; those that sleep or ended are taken off when places run short
@arg per_hour  int
@arg most      int     rooms at a time, 0: no limit
@arg id        text    of the room
@arg life_ms   int     longest life of a room
@ok  open
@ok  rate_limited  retry after ms
@ok  full      ids of the rooms that have the places
]]
--- @include lib/answer
--- @include lib/bucket
if wait_ms() > 0 then return ok('rate_limited', wait_ms()) end
if most > 0 then
  redis.call('ZREMRANGEBYSCORE', held, '-inf', int(now - life_ms * 1000))
  if redis.call('ZCARD', held) >= most then return ok('full', redis.call('ZRANGE', held, 0, 99)) end
end
take()
if most > 0 then
  redis.call('ZADD', held, int(now), id)
  redis.call('PEXPIRE', held, life_ms)
end
return ok('open')
