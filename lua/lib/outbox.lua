-- Puts into `outbox` what is to be pushed to webhooks, in the same step as what it tells of: event is message.created, mention or
-- member_added, number the message's or '', actor the mentioned one's id or '', subject what else the event is about or ''.
-- Whoever calls it has put the channel into the index of outboxes before (webhooks/index_enter). Only what nobody fetched for very long
-- comes near the cap.
local function push(event, number, actor, subject)
  redis.call('XADD', outbox, 'MAXLEN', '~', 100000, '*', 'e', event, 'n', number, 'a', actor, 's', subject)
end
local function pushed() redis.call('PEXPIRE', outbox, 604800000) end
