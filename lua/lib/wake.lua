-- Publishes a wake-up to the channel's waiters: 'one' for one claimable message, 'all' when what they may do has changed.
-- A lost hint must not fail what is written already.
local function wake_up(whom) redis.pcall('SPUBLISH', wake, whom) end
