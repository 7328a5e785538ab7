-- How many leases run, into `running`, a local of the caller that is false where it is not known. They are counted near the cap only (arg
-- lease_cap); about every 32nd lease finds out whether that is near, and lib/lease_note keeps it, after the claim.
if leased_out or lease_cap <= 2000 or now % 32 == 0 then running = redis.call('ZCOUNT', leases, '(' .. now_text, '(+inf') end
