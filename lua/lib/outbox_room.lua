-- Before anything is written that is to be pushed to webhooks: how many entries wait in `outbox`, into `waiting`, a local of the caller. None
-- of them may be lost, so with as many as it takes it is refused what they would tell of. Up to 51 may come beyond that: those of one message.
waiting = redis.call('XLEN', outbox)
if waiting >= 100000 then
  --- @include lib/answer
  return refuse('webhook_backlog_full', 'retry_after_ms#', 30000)
end
