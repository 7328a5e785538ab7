--[[
api_keys/announce: a key is about to be revoked or narrowed. Nothing has changed yet; replicas that do not hear of the change itself still know
that there may have been one.

@slot fleet
@flags allow-oom
@key changes stream
@arg key     text
@ok  announced
]]
--- @include lib/answer
--- @include lib/number

local newest = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]
redis.call('XADD', changes, 'MAXLEN', 1000, sid(math.max(now, newest and num(newest[1]) + 1 or 0)), 'k', key)
redis.call('PEXPIRE', changes, 3600000)
return ok('announced')
