-- Sessions of a key: `sessions` has id → created, updated, revision, name, metadata, state, joined by \31; `session_index` has ids by creation.
--- @include lib/number
local LIFE_MS = 86400000
-- Created then or before: ended, whether or not it was removed yet.
local ended = math.max(now - LIFE_MS * 1000, 0)
-- The record, when it was created, its revision; nothing if there is none that lives.
local function find(id)
  local record = redis.call('HGET', sessions, id)
  if not record then return nil end
  local created, rev = string.match(record, '^(%d+)\31%d+\31(%d+)\31')
  if created + 0 <= ended then return nil end
  return record, created, rev + 0
end
