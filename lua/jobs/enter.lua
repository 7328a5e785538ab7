--[[
jobs/enter: put what waits in a channel's outbox into a queue, each entry once, however often and by how many it is handed over.

@slot jobs
@key jobs     stream  an entry has one job, or a bundle of up to 8 for the same webhook
@key bundled  string  jobs of the stream that are no entries of their own
@key retries  zset
@key handed   list    ids of the last entries of this channel that were handed over, 600 at least, many to a text, the newest first; a text
                      begins with the highest id of all
@arg most     int     jobs that the queue holds; with so many it takes no more
@arg ids      long    of the entries, in the order of the outbox, each ended by a blank; at most 128
@arg count    int     how many they are
@rest         their jobs in the same order; those of a bundle in one text, joined by \30
@ok  entered  how many were new
@ok  full
]]
--- @include lib/answer

local waiting
--- @include lib/queued
if waiting + redis.call('ZCARD', retries) >= most then return ok('full') end
local known = redis.call('LINDEX', handed, 0)
local newest = known or '0-0 '
local highest = string.match(newest, '^%S+')
local function is_above(id, other)
  local ms, seq = string.match(id, '^(%d+)-(%d+)')
  local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)')
  ms, other_ms = ms + 0, other_ms + 0
  return ms > other_ms or ms == other_ms and seq + 0 > other_seq + 0
end

local entered, new = count, ids
if is_above(ids, highest) then -- its first one, the lowest: all are new
  for _, bundle in ipairs(rest) do redis.call('XADD', jobs, '*', 'j', bundle) end
  if count > #rest then redis.call('SET', bundled, beyond + count - #rest) end
else -- handed over before, or of a server whose clock was set back: each id decides
  local had = {}
  for _, text in ipairs(redis.call('LRANGE', handed, 0, 11)) do
    for id in string.gmatch(text, '%S+') do had[id] = true end
  end
  entered, new = 0, ''
  local next_job = string.gmatch(table.concat(rest, '\30'), '[^\30]+')
  for id in string.gmatch(ids, '%S+') do
    local job = next_job()
    if not had[id] then
      redis.call('XADD', jobs, '*', 'j', job)
      entered, new = entered + 1, new .. id .. ' '
    end
  end
end
if entered > 0 then
  local last = string.match(new, '(%S+) $', -42) -- an id has 41 characters at most; from the beginning, each place would be tried
  local top = is_above(last, highest) and last or highest
  if known and #newest + #new < 1600 then
    redis.call('LSET', handed, 0, top .. string.sub(newest, #highest + 1) .. new)
  else
    redis.call('LPUSH', handed, top .. ' ' .. new)
    redis.call('LTRIM', handed, 0, 11)
  end
end
redis.call('PEXPIRE', handed, 3600000)
redis.call('PERSIST', jobs)
return ok('entered', entered)
