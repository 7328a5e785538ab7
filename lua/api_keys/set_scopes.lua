--[[
api_keys/set_scopes: narrow the scopes of a key. What it does not have it cannot get.

@slot key
@key record  hash
@key idem    string
@arg scopes  text  sorted, joined by commas; may be empty: none
@arg announced int  this server's time before the change was announced
@arg idem_ms int
@arg body    text
@ok  set
@ok  replayed
@ok  late     nothing was done: to be announced again
@no  unauthorized
@no  invalid_scope  scope, allowed: what it has
@no  idempotency_key_reused
]]
--- @include lib/answer
--- @include lib/once
--- @include lib/in_time

local facts, reused = seen()
if reused then return reused end
if facts then return ok('replayed') end
local active, granted = unpack(redis.call('HMGET', record, 'active', 'scopes'))
if active ~= '1' then return refuse('unauthorized') end
if granted then
  for scope in string.gmatch(scopes, '[^,]+') do
    if not string.find(',' .. granted .. ',', ',' .. scope .. ',', 1, true) then
      return refuse('invalid_scope', 'scope', scope, 'allowed,', granted)
    end
  end
end
if not in_time() then return ok('late') end
redis.call('HSET', record, 'scopes', scopes)
remember('1')
return ok('set')
