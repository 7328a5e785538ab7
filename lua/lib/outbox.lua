-- Puts into `outbox` what is to be pushed to webhooks, in the same step as what it tells of: event is message.created, mention or
-- member_added, number the message's or '', actor the mentioned one's id or '', subject what else the event is about or ''.
-- Whoever calls it has put the channel into the index of outboxes before (webhooks/index_enter), and has asked lib/outbox_room.
local function push(event, number, actor, subject)
  redis.call('XADD', outbox, '*', 'e', event, 'n', number, 'a', actor, 's', subject)
end
-- An outbox that holds something lives as long as its channel; an empty one was given an end (webhooks/outbox_done).
local function pushed()
  if waiting > 0 then return end
  local ends = redis.call('PEXPIRETIME', meta)
  if ends > 0 then redis.call('PEXPIREAT', outbox, ends) else redis.call('PERSIST', outbox) end
end
