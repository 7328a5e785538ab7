--[[
hooks/record: write down how one try of a delivery failed; the newest 200 are kept for 30 days.

@slot hook
@flags allow-oom
@key tries       list    as in hooks/delivered
@key dead        hash    deliveries that were given up
@key dead_index  zset    their ids by when
@key failing     string  since when (µs) every try to this URL has failed, and the URL's mark
@arg id          text    of the delivery
@arg job         text
@arg attempt     int
@arg status      int     of the answer; 0: there was none
@arg took_ms     int
@arg outcome     text    failed, or dead
@arg error       text    a word
@arg mark        text    tells one URL from the next
@ok  recorded    since when all tries have failed (µs)
]]
--- @include lib/answer
--- @include lib/number

local LIFE = 2592000000
redis.call('LPUSH', tries, table.concat({ int(now), outcome, attempt, status, took_ms, error, job }, '\31'))
redis.call('LTRIM', tries, 0, 199)
redis.call('PEXPIRE', tries, LIFE)
local began, of = string.match(redis.call('GET', failing) or '', '^(%d+)\31(.*)$')
if of ~= mark then began = int(now) end
redis.call('SET', failing, began .. '\31' .. mark, 'PX', LIFE)
if outcome == 'dead' then
  redis.call('HSET', dead, id, table.concat({ int(now), attempt, status, error, job }, '\31'))
  redis.call('ZADD', dead_index, now, id)
  -- One comes in at a time, so one out keeps them at a thousand.
  if redis.call('ZCARD', dead_index) > 1000 then redis.call('HDEL', dead, redis.call('ZPOPMIN', dead_index)[1]) end
  redis.call('PEXPIRE', dead, LIFE)
  redis.call('PEXPIRE', dead_index, LIFE)
end
return ok('recorded', began + 0)
