//! What holds the indexes of a channel up until its deadline is no message: it counts nowhere and shows up in no answer.
//!
//! That it stands after every call is what the runner of the scripts checks.

use crate::support::script::{Bench, RETENTION, SECOND, TTL, on_both};

/// What every script that reads an index says of a channel where nothing is open and no lease runs.
fn nothing_is_open(b: &Bench) {
    let far = b.now() + 1_000_000 * SECOND;
    for before in [0, 1, b.now(), far] {
        let page = b.ask("messages/list_unclaimed").with("before", before).run().ok("page").wrote_nothing();
        assert_eq!((page.int(4), page.list(5).len(), page.list(6).len(), page.int(7)), (0, 0, 0, 0), "before {before}");
    }
    let claimed = b.ask("messages/list_claimed").run().ok("page").wrote_nothing();
    assert_eq!(claimed.int(4), 0, "no lease runs");
    assert_eq!(b.ask("messages/list").run().ok("page").wrote_nothing().int(4), 0);
    b.ask("messages/history").run().ok("page").wrote_nothing();
    for max in [1, 10] {
        assert_eq!(b.ask("claims/next").with("max", max).with("lease_ms", 5000).run().ok("empty").wrote_nothing().int(0), 0);
    }
}

#[test]
fn a_placeholder_is_neither_open_nor_a_lease_nor_a_claim() {
    // The second ttl is longer than time itself: no moment is past then, and what is older than all is not older than it.
    for ttl in [TTL, 4_100_000_000] {
        on_both(|b| {
            b.channel(&[("ttl", &ttl.to_string())]);
            let [acked, held, lapsed] = [b.post(), b.post(), b.post()];
            assert_eq!(b.ask("messages/list_unclaimed").with("limit", 3).run().ok("page").numbers(5), [acked, held, lapsed]);
            b.claim(acked, 5000);
            b.claim(held, 0);
            b.claim(lapsed, 0);
            b.ask("claims/ack").with("n", acked).run().ok("acknowledged");
            nothing_is_open(b);
            b.ask("claims/release").with("n", lapsed).run().ok("released");
            b.claim(lapsed, 5000);
            assert_eq!(b.ask("claims/next").run().ok("empty").wrote_nothing().int(0), b.now() + 5 * SECOND);
            b.pass(5 * SECOND);
            // An ended lease is returned, and nothing with it.
            let page = b.ask("messages/list_unclaimed").run().ok("page");
            assert_eq!((page.numbers(5), page.int(4)), (vec![lapsed], 0));
            assert_eq!((b.zset("open"), b.claimed()), (vec![lapsed], vec![acked, held, lapsed]));
            let taken = b.ask("claims/next").with("max", 10).run().ok("claimed");
            assert_eq!((taken.numbers(1), taken.list(2).len()), (vec![lapsed], 1));
            nothing_is_open(b);
        });
    }
}

#[test]
fn a_placeholder_outlives_every_message_until_the_deadline() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        nothing_is_lost(b, n);
        // Expired, but not yet gone: a post that trims takes it out of the index of the open.
        b.at(n + TTL * SECOND);
        nothing_is_open(b);
        let second = b.ask("messages/post").with("floor", b.now().next_multiple_of(32)).run().ok("posted").int(0);
        assert_eq!((second % 32, b.zset("open")), (0, vec![second]));
        // Past its retention: a post that trims drops it with its record.
        b.at(second + (TTL + RETENTION) * SECOND);
        nothing_is_open(b);
        let third = b.ask("messages/post").with("floor", b.now().next_multiple_of(32)).run().ok("posted").int(0);
        assert_eq!((b.log(), b.zset("open"), b.claimed()), (vec![third], vec![third], vec![]));
        // A channel whose last message was taken back is as empty as can be.
        b.ask("messages/retract").with("n", third).run().ok("retracted");
        nothing_is_open(b);
        // In a ring everything that falls out is dropped.
        b.set("max_messages", "1");
        let all = [b.post(), b.post()];
        assert_eq!((b.log(), b.zset("open")), (vec![all[1]], vec![all[1]]));
    });
}

/// Claimed and given back by each of the ways, `n` is open again, alone, and no lease is left.
fn nothing_is_lost(b: &Bench, n: u64) {
    for (name, how) in [("claims/release", "released"), ("claims/give_back", "returned")] {
        let attempt = b.claim(n, 5000).attempt;
        let ask = b.ask(name).with("n", n);
        if name == "claims/give_back" { ask.with("attempt", attempt) } else { ask }.run().ok(how);
        assert_eq!((b.zset("open"), b.zset("leases")), (vec![n], vec![]));
    }
}
