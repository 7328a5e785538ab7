-- Ends the script with channel_access_denied unless `key` may use the channel; its owner is a member. An empty key is the replica itself,
-- reading for waiters whose access it has checked.
--- @include lib/channel
if restricted and key ~= '' and redis.call('HEXISTS', members, key) == 0 then
  --- @include lib/answer
  return refuse('channel_access_denied')
end
