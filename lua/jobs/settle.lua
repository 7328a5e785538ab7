--[[
jobs/settle: take entries out of the stream of which jobs are to be tried again later.

@slot jobs
@flags allow-oom
@key jobs     stream
@key bundled  string  jobs of the stream that are no entries of their own
@key retries  zset    jobs by when they are due (ms)
@rest         of each entry: its id, jobs beyond its first one, how many are tried again, and of each of these when it is due (ms), job as it is
              to be tried again; at most 128 jobs
@ok  settled  how many are tried again; another worker has settled the others
]]
--- @include lib/answer

local ids, later, fewer, i = {}, {}, 0, 1
while i < #rest do -- 128 times at most: each entry has a job
  local behind = i + 3 + rest[i + 2] * 2
  ids[#ids + 1] = rest[i]
  if redis.call('XDEL', jobs, rest[i]) == 1 then
    fewer = fewer + rest[i + 1]
    for j = i + 3, behind - 1 do later[#later + 1] = rest[j] end
  end
  i = behind
end
redis.call('XACK', jobs, 'workers', unpack(ids))
if #later > 0 then
  redis.call('ZADD', retries, unpack(later))
  redis.call('PERSIST', retries)
end
--- @include lib/unbundled
return ok('settled', #later / 2)
