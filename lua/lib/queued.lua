-- How many jobs the queue's stream holds, into `waiting`, a local of the caller; `beyond` of them stand in a bundle behind its first one, so that they
-- are no entries of their own. In an empty stream there are none, whatever was noted.
waiting = redis.call('XLEN', jobs)
local beyond = waiting > 0 and redis.call('GET', bundled) or 0
waiting, beyond = waiting + beyond, beyond + 0
