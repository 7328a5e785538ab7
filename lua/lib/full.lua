-- Ends the script where the key that owns the channel held as much memory as it may when somebody looked: with `full` until `full_until`,
-- then once with `look`, whose caller finds out whether it is so still; all others wait for that, 2 s at most. Both drop what is past
-- its retention, since posts do not.
if full_until then
  --- @include lib/answer
  --- @include lib/trim
  drop_gone()
  -- Further ahead than any mark is set: the clock was set back.
  if full_until > now and full_until <= now + 60000000 then return ok('full', full_until) end
  --- @include lib/settings
  --- @include lib/in_memory
  redis.call('HSET', meta, 'full_until', int(now + 2000000))
  pack_settings()
  return ok('look', owner, in_memory, deadline)
end
