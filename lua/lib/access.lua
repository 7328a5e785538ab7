-- Ends the script with channel_access_denied unless `key` may use the channel. An empty key is the replica itself, reading for waiters
-- whose access it has checked.
--- @include lib/channel
if access == 'restricted' and key ~= '' and key ~= owner and redis.call('HEXISTS', members, key) == 0 then
  return refuse('channel_access_denied')
end
