-- Pages of at most `limit` messages and about 1 MiB. Reads log in chunks, so a page costs what it shows.
--- @include lib/number
local PAGE_BYTES = 1048576
local CHUNK = 25
local function size(entry)
  local bytes = 64
  for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
  return bytes
end
-- Entries from id `from` to id `to`, forwards (XRANGE) or backwards (XREVRANGE). Returns them and whether more may follow.
local function read_page(command, from, to, limit)
  local found, bytes = {}, 0
  while #found < limit do
    local want = math.min(CHUNK, limit - #found)
    local chunk = redis.call(command, log, from, to, 'COUNT', want)
    for _, entry in ipairs(chunk) do
      bytes = bytes + size(entry)
      if bytes > PAGE_BYTES and #found > 0 then return found, true end
      found[#found + 1] = entry
    end
    if #chunk < want then return found, false end
    from = '(' .. chunk[#chunk][1]
  end
  return found, true
end
-- The claim records of these entries, in their order; '' where there is none.
local function records_of(entries)
  if #entries == 0 then return {} end
  local numbers = {}
  for i, e in ipairs(entries) do numbers[i] = digits(e[1]) end
  local records = redis.call('HMGET', claims, unpack(numbers))
  for i = 1, #numbers do records[i] = records[i] or '' end
  return records
end
