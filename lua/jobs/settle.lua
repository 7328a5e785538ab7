--[[
jobs/settle: take jobs that were tried out of the stream: they are to be tried again later.

@slot jobs
@flags allow-oom
@key jobs     stream
@key retries  zset  jobs by when they are due (ms)
@rest         of each: id of the stream entry, when it is due (ms), job as it is to be tried again; at most 128 jobs
@ok  settled  how many are tried again; another worker has settled the others
]]
--- @include lib/answer

local ids, later = {}, {}
for i = 1, #rest, 3 do
  ids[#ids + 1] = rest[i]
  if redis.call('XDEL', jobs, rest[i]) == 1 then
    later[#later + 1] = rest[i + 1]
    later[#later + 1] = rest[i + 2]
  end
end
redis.call('XACK', jobs, 'workers', unpack(ids))
if #later > 0 then
  redis.call('ZADD', retries, unpack(later))
  redis.call('PERSIST', retries)
end
return ok('settled', #later / 2)
