--[[
jobs/done: take jobs that nothing more is to be done about out of the queue.

@slot jobs
@flags allow-oom
@key jobs     stream
@key bundled  string  jobs of the stream that are no entries of their own
@arg bundles  int     how many of the entries are bundles
@rest         of each bundle: id, jobs beyond its first one; then the ids of the other entries; at most 128 entries
@ok  done     how many entries were still there: others were taken over and settled by another worker
]]
--- @include lib/answer

local done, fewer, ids = 0, 0, {}
for i = 1, bundles do
  ids[i] = rest[i * 2 - 1]
  if redis.call('XDEL', jobs, ids[i]) == 1 then done, fewer = done + 1, fewer + rest[i * 2] end
end
local singles = #rest - bundles * 2
if singles > 0 then done = done + redis.call('XDEL', jobs, unpack(rest, bundles * 2 + 1)) end
if bundles > 0 then redis.call('XACK', jobs, 'workers', unpack(ids)) end
if singles > 0 then redis.call('XACK', jobs, 'workers', unpack(rest, bundles * 2 + 1)) end
--- @include lib/unbundled
return ok('done', done)
