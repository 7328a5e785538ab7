-- After something was put into `outbox`, in the same step as what it tells of: XADD * e, and as its one value event (message.created, mention or
-- member_added), the message's number or nothing, the mentioned actor's id or nothing, what else the event is about or nothing, joined by \31.
-- One field, and no function, since whatever makes, reads and copies them costs Redis. Whoever does it has put the channel into the
-- index of outboxes before (webhooks/index_enter), and has asked lib/outbox_room.
-- An outbox that holds something lives as long as its channel; an empty one was given an end (webhooks/outbox_done).
if waiting == 0 then
  local ends = redis.call('PEXPIRETIME', meta)
  if ends > 0 then redis.call('PEXPIREAT', outbox, ends) else redis.call('PERSIST', outbox) end
end
