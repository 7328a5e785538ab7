-- Somebody listens: the entry follows its 'more', with who is in the room; who has read up to it needs no look. Who waits there was given it
-- with that, and waits no more: written together with the entry, so that a failover loses both or neither.
--- @include lib/number
local all, told = redis.call('HGETALL', people), {}
for i = 2, #all, 2 do
  local its_place, waits_until, has, who = string.match(all[i], '^(%d+)\31%d+\31(%d+)\31(%d+)\31(.*)$')
  if waits_until + 0 > now and has + 0 == length - 1 then
    all[i] = table.concat({ its_place, int(now), 0, int(length), who }, '\31')
    told[#told + 1] = all[i - 1]
    told[#told + 1] = all[i]
  end
end
if told[1] then redis.call('HSET', people, unpack(told)) end
redis.pcall('SPUBLISH', wake, cjson.encode({ int(length - 1), kind, at, from, text, int(now), all }))
