--[[
api_keys/announced: which keys were announced since a replica last asked, or that this cannot be known. Writes nothing; but a server that may not be
written to must not answer (so no `no-writes`): one that has stepped down does not know.

@slot fleet
@flags allow-oom
@key changes stream
@arg history text  what the last answer was out of; empty: there was none
@arg after   text  the newest announcement then; empty: those of the last recent_ms are asked for
@arg recent_ms int
@arg most    int   more are not listed
@ok  announced  history, newest announcement, the keys
@ok  lost       history, newest announcement: some were lost, or are too many
]]
--- @include lib/answer
--- @include lib/number
--- @include lib/replication

local newest = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]
newest = newest and newest[1] or '0-0'
local here = history_id()
if history ~= '' and history ~= here then return ok('lost', here, newest) end
if newest == after then return ok('announced', here, newest) end
local follows = after ~= '' and after ~= '0-0'
local found = redis.call('XRANGE', changes, after ~= '' and after or sid(math.max(now - recent_ms * 1000, 0)), '+', 'COUNT', most + 2)
-- What was the newest must still be there: otherwise it was lost, or pushed out by more than are kept.
if follows and not (found[1] and found[1][1] == after) then return ok('lost', here, newest) end
if #found - (follows and 1 or 0) > most then return ok('lost', here, newest) end
local keys = {}
for i = follows and 2 or 1, #found do keys[#keys + 1] = found[i][2][2] end
return ok('announced', here, newest, unpack(keys))
