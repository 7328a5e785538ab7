-- Takes away everything of the channel. Its names lie in other slots: who erases it frees them. UNLINK frees a large stream outside the script's time.
local function erase()
  redis.call('UNLINK', meta, members, roster, log, open, claims, leases, retracted, requests, invites, events, outbox)
  redis.call('SET', gone, '1', 'EX', 691200)
end
