//! lua/usage/channel_add.lua and channel_metrics.lua

use crate::support::script::{Bench, OTHER_ACTOR, RETENTION, SECOND, STRANGER, TTL, on_both};

const METRICS: &str = "usage/channel_metrics";

pub fn answers_add(b: &Bench) {
    b.ask("usage/channel_add").with("acks", 1).run().no("channel_not_found");
    b.channel(&[]);
    b.ask("usage/channel_add").run().ok("counted").wrote_nothing();
    b.ask("usage/channel_add").with("claims", 3).with("acks", 2).with("releases", 1).run().ok("counted");
    b.ask("usage/channel_add").with("claims", 1).run().ok("counted");
    assert_eq!(b.ask(METRICS).run().ok("metrics").ints(5..9), [4, 2, 1, 0]);
}

pub fn answers(b: &Bench) {
    b.ask(METRICS).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(METRICS).with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    b.ask(METRICS).with("key", STRANGER).run().no("forbidden");
    assert_eq!(counts(b), [0; 9]);
}

/// posted, held, open, leased, oldest open, claims, acks, releases, leases that ended
fn counts(b: &Bench) -> [u64; 9] {
    b.ask(METRICS).run().ok("metrics").ints(0..9).try_into().expect("nine numbers")
}

#[test]
fn what_a_channel_holds_is_counted_as_it_is_now() {
    on_both(|b| {
        b.channel(&[]);
        let [first, second, third, retracted] = [b.post(), b.post(), b.post(), b.post()];
        assert_eq!(counts(b), [4, 4, 4, 0, first, 0, 0, 0, 0]);
        b.ask("messages/retract").with("n", retracted).run().ok("retracted");
        b.claim(first, 5000);
        b.claim(second, 0);
        assert_eq!(counts(b), [4, 3, 1, 1, third, 0, 0, 0, 0]);
        // A lease that has ended is open again, also before anybody has looked.
        b.pass(5 * SECOND);
        assert_eq!(counts(b), [4, 3, 2, 0, first, 0, 0, 0, 1]);
        b.at(third + TTL * SECOND);
        assert_eq!(counts(b), [4, 3, 0, 0, 0, 0, 0, 0, 1]);
        b.at(third + (TTL + RETENTION + 120) * SECOND);
        let newest = b.post();
        assert_eq!(counts(b)[2..5], [1, 0, newest]);
    });
}

#[test]
fn each_lease_that_ends_is_counted_once_whoever_notices_it() {
    on_both(|b| {
        b.channel(&[]);
        let [by_id, by_next, by_list, done_at_once] = [b.post(), b.post(), b.post(), b.post()];
        let lapse = |n: u64| {
            b.claim(n, 1000);
            b.pass(SECOND);
        };
        let ended = || b.run::<Option<u64>>(&["HGET", &b.key("meta"), "leases_ended"]).unwrap_or(0);
        lapse(by_id);
        let claim = || b.ask("claims/claim").with("n", by_id).with("actor", OTHER_ACTOR).with("secret", "s2").run().ok("claimed");
        assert_eq!((claim().int(3), claim().int(3)), (1, 0), "the replica that notices it counts it, and no repeat does");
        assert_eq!(ended(), 1);
        lapse(by_next);
        let next = |secret: &str| b.ask("claims/next").with("lease_ms", 60_000).with("secret", secret).run();
        assert_eq!(next("s3").ok("claimed").int(3), 1);
        assert_eq!(ended(), 2);
        lapse(by_list);
        assert_eq!(b.ask("messages/list_unclaimed").run().ok("page").int(8), 1);
        assert_eq!(b.ask("messages/list_unclaimed").run().ok("page").wrote_nothing().int(8), 0);
        assert_eq!(ended(), 3);
        lapse(done_at_once);
        let at_once = || b.ask("claims/claim_and_ack").with("n", done_at_once).with("secret", "s4").run().ok("claimed_and_acked");
        assert_eq!((at_once().int(3), at_once().int(3)), (1, 0));
        assert_eq!((ended(), counts(b)[8]), (4, 4));
        // One that was acked or released in time has not ended so.
        b.claim(by_list, 1000);
        b.ask("claims/release").with("n", by_list).run().ok("released");
        b.pass(5 * SECOND);
        assert_eq!(counts(b)[8], 4);
        // Found by this call itself, and by one that takes nothing.
        lapse(by_list);
        assert_eq!(b.ask(METRICS).run().ok("metrics").ints(8..10), [5, 1]);
        b.claim(by_list, 0);
        assert_eq!(next("s7").ok("empty").int(1), 0);
    });
}
