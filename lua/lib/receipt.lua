-- What there is to say of the message `n`: live, in the history, or that it was retracted. Behind it, whether something may become of it.
--- @include lib/number
local function receipt()
  local entry = n > gone_by and redis.call('XRANGE', log, sid(n), sid(n))[1]
  if not entry then
    if n > gone_by and redis.call('ZSCORE', retracted, int(n)) then return ok('retracted', ttl, rev) end
    return refuse('message_not_found')
  end
  local record, result = unpack(redis.call('HMGET', claims, int(n), 'r' .. int(n)))
  return ok('receipt', ttl, rev, entry, record or '', result or ''), true
end
