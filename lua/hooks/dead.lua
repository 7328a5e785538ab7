--[[
hooks/dead: deliveries that were given up.

@slot hook
@flags no-writes
@key dead        hash
@key dead_index  zset
@arg first       text  oldest, or newest
@arg limit       int
@ok  page        id, facts of each; how many there are
]]
--- @include lib/answer

local page = {}
for _, id in ipairs(redis.call(first == 'oldest' and 'ZRANGE' or 'ZREVRANGE', dead_index, 0, limit - 1)) do
  page[#page + 1] = id
  page[#page + 1] = redis.call('HGET', dead, id) or ''
end
return ok('page', page, redis.call('ZCARD', dead_index))
