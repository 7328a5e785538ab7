--[[
jobs/forget: drop a worker that leaves, and workers that were not heard of for so long, unless jobs are still theirs.

@slot jobs
@flags allow-oom
@key jobs     stream
@arg worker   text  who leaves, or empty
@arg idle     int   ms
@ok  forgot   how many
]]
--- @include lib/answer

local known = redis.pcall('XINFO', 'CONSUMERS', jobs, 'workers')
local forgot = 0
for i = 1, math.min(known.err and 0 or #known, 256) do
  local of = {}
  for j = 1, #known[i], 2 do of[known[i][j]] = known[i][j + 1] end
  if of.pending == 0 and (of.name == worker or of.idle > idle) then
    redis.call('XGROUP', 'DELCONSUMER', jobs, 'workers', of.name)
    forgot = forgot + 1
  end
end
return ok('forgot', forgot)
