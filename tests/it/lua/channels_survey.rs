//! lua/channels/survey.lua

use crate::support::script::{Bench, SECOND, START, TTL, on_both};

/// Open messages, the oldest of them, running leases.
fn survey(b: &Bench) -> [u64; 3] {
    let found = b.ask("channels/survey").run().ok("channel").wrote_nothing();
    [found.int(0), found.int(1), found.int(2)]
}

pub fn answers(b: &Bench) {
    b.ask("channels/survey").run().no("channel_not_found");
    b.channel(&[]);
    let found = b.ask("channels/survey").run().ok("channel");
    assert_eq!((survey(b), found.int(3)), ([0, 0, 0], START), "used when it was made");
    let n = b.post();
    assert_eq!(survey(b), [1, n, 0]);
}

#[test]
fn a_message_is_open_until_it_is_claimed_done_retracted_or_expired() {
    on_both(|b| {
        b.channel(&[]);
        let mut numbers = Vec::new();
        for _ in 0..5 {
            numbers.push(b.post());
            b.pass(SECOND);
        }
        let [claimed, leased, acked, retracted, left] = numbers[..] else { panic!("five") };
        assert_eq!(survey(b), [5, claimed, 0]);
        b.claim(claimed, 0);
        b.claim(leased, 5000);
        b.claim(acked, 5000);
        b.ask("claims/ack").with("n", acked).run().ok("acknowledged");
        assert_eq!(survey(b), [2, retracted, 1]);
        b.ask("messages/retract").with("n", retracted).run().ok("retracted");
        assert_eq!(survey(b), [1, left, 1]);
        // Nobody calls, and the lease has ended.
        b.pass(5 * SECOND);
        assert_eq!(survey(b), [2, leased, 0]);
        assert_eq!(b.zset("open"), [left], "the survey returns nothing");
        b.ask("claims/release").with("n", claimed).with("secret", "s1").run().ok("released");
        assert_eq!(survey(b), [3, claimed, 0]);
        // Expired, though no script has cleaned up: each at its own time.
        b.at(leased + TTL * SECOND);
        assert_eq!(survey(b), [1, left, 0]);
        b.at(left + TTL * SECOND);
        assert_eq!((survey(b), b.zset("open").len()), ([0, 0, 0], 2));
    });
}

#[test]
fn of_many_ended_leases_all_count_and_some_are_asked_for_their_age() {
    on_both(|b| {
        b.channel(&[]);
        let numbers = b.post_many(200);
        for n in &numbers {
            b.ask("claims/claim").with("n", *n).with("lease_ms", 1000).quietly().run().ok("claimed");
        }
        assert_eq!(survey(b), [0, 0, 200]);
        b.pass(2 * SECOND);
        assert_eq!(survey(b), [200, numbers[0], 0]);
    });
}

#[test]
fn a_broadcast_channel_has_no_open_messages() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        b.post();
        assert_eq!(survey(b), [0, 0, 0]);
    });
}

#[test]
fn a_channel_counts_as_used_from_its_newest_post_or_change_on_and_hardly_longer() {
    on_both(|b| {
        let (ttl, retention) = (86_400, 604_800);
        b.channel(&[("ttl", &ttl.to_string()), ("retention", &retention.to_string())]);
        let used = |b: &Bench| b.ask("channels/survey").run().ok("channel").int(3);
        // The deadline is not moved with each post.
        for step in [1, 60, 600, 3600, 3600, 3600, 10, 86_400, 6900, 20, 700_000] {
            b.pass(step * SECOND);
            let n = b.post();
            let found = used(b);
            assert!(found >= n, "{} µs too early", n - found);
            assert!(found - n <= (ttl + retention) * SECOND / 100 + 60 * SECOND, "{} µs late", found - n);
        }
        b.pass(1000 * 86_400 * SECOND);
        b.ask("channels/update").rest("description", "new").run().ok("updated");
        assert_eq!(used(b), b.now());
    });
}
