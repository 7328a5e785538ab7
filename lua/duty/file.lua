--[[
duty/file: note what was found, unless another worker does the fleet's background work by now.

@slot duty
@key holder   string
@key findings hash
@arg worker   text
@arg at       text  the field that gets the time of this
@arg life_ms  int
@rest         name, value of each field
@ok  filed
@ok  theirs   -- nothing was written
]]
--- @include lib/answer
--- @include lib/number

if redis.call('GET', holder) ~= worker then return ok('theirs') end
redis.call('HSET', findings, at, int(now), unpack(rest))
redis.call('PEXPIRE', findings, life_ms)
return ok('filed')
