-- Results of acks: the field `r` + number of `claims`, so that a result goes with its channel's deadline; how many there are stands in its
-- field `results`. Parts: key, actor, name, when, text, joined by \31. The first one of a message stays.
local function keep_result(m, actor, name)
  local parts = { key, actor, name, string.format('%d', now), result }
  if redis.call('HSETNX', claims, 'r' .. m, table.concat(parts, '\31')) == 1 then redis.call('HINCRBY', claims, 'results', 1) end
end
