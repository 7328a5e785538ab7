//! lua/claims/heartbeat.lua

use crate::support::script::{Bench, OTHER_ACTOR, OWNER, SECOND, STRANGER, TTL, on_both};

const HEARTBEAT: &str = "claims/heartbeat";

pub fn answers(b: &Bench) {
    b.ask(HEARTBEAT).with("lease_ms", 5000).run().no("lease_expired");
    b.channel(&[]);
    let n = b.post();
    b.claim(n, 600_000);
    let beat = || b.ask(HEARTBEAT).with("n", n).with("lease_ms", 600_000);
    let first = beat().once("r").run().ok("extended").record(2);
    b.pass(SECOND);
    beat().run().ok("extended");
    let replayed = beat().once("r").run().ok("replayed").wrote_nothing();
    assert_eq!(replayed.int(3), first.lease_until.expect("a lease").0, "the lease end of the first answer");
    beat().once("r").with("body", "another").run().no("idempotency_key_reused");
    b.set("access", "restricted");
    beat().with("key", STRANGER).run().no("channel_access_denied");
    b.at(n + TTL * SECOND - 1);
    beat().run().ok("extended");
    b.at(n + TTL * SECOND);
    beat().run().no("message_expired");
}

#[test]
fn a_heartbeat_moves_the_end_also_nearer_and_wakes_a_waiter_when_it_is_first() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.pass(5 * SECOND - 1);
        let beat = |lease_ms: u64| b.ask(HEARTBEAT).with("n", n).with("lease_ms", lease_ms).run();
        let later = beat(60_000).ok("extended").woke(&["one"]);
        assert_eq!(later.record(2).lease_until.expect("a lease").0, b.now() + 60 * SECOND);
        let sooner = beat(1000).ok("extended");
        assert_eq!(sooner.record(2).attempt, 1, "still the same claim");
        assert!(sooner.after.contains(&format!("leases zset expires\n  {} {n}\n  inf -\n", b.now() + SECOND)), "{}", sooner.after);
        b.pass(SECOND - 1);
        beat(1000).ok("extended");
        b.pass(SECOND);
        beat(1000).no("lease_expired");
    });
}

#[test]
fn whoever_does_not_hold_this_very_lease_is_told_that_it_has_ended() {
    on_both(|b| {
        b.channel(&[]);
        let [leased, plain, acked, released, open] = [b.post(), b.post(), b.post(), b.post(), b.post()];
        b.claim(leased, 5000);
        b.claim(plain, 0);
        b.claim(acked, 5000);
        b.ask("claims/ack").with("n", acked).run().ok("acknowledged");
        b.claim(released, 5000);
        b.ask("claims/release").with("n", released).run().ok("released");
        let beat = |n: u64| b.ask(HEARTBEAT).with("n", n).with("lease_ms", 5000);
        for n in [plain, acked, released, open, open + 1] {
            beat(n).run().no("lease_expired");
        }
        beat(leased).with("secret", "s2").run().no("lease_expired");
        beat(leased).with("key", STRANGER).run().no("lease_expired");
        beat(leased).with("key", OWNER).run().ok("extended");
        // The next holder's lease is not the first one's.
        b.pass(5 * SECOND);
        b.ask("claims/claim").with("n", leased).with("actor", OTHER_ACTOR).with("secret", "s2").with("lease_ms", 5000).run().ok("claimed");
        beat(leased).run().no("lease_expired");
    });
}

#[test]
fn twelve_hours_after_the_claim_no_heartbeat_helps() {
    on_both(|b| {
        b.channel(&[("ttl", "86400")]);
        let n = b.post();
        b.pass(SECOND);
        let (since, hour) = (b.now(), 3600 * SECOND);
        b.claim(n, 3_600_000);
        let beat = || b.ask(HEARTBEAT).with("n", n).with("lease_ms", 3_600_000).run();
        for hours in 1..=11 {
            b.at(since + hours * (hour - 1));
            beat().ok("extended");
        }
        b.at(since + 12 * hour - 2 * SECOND);
        assert_eq!(beat().ok("extended").record(2).lease_until.expect("a lease").0, since + 12 * hour);
        b.at(since + 12 * hour - 1);
        beat().ok("extended");
        b.at(since + 12 * hour);
        beat().no("lease_expired");
        // Whoever claims it again has twelve hours of its own.
        b.ask("claims/claim").with("n", n).with("secret", "s2").with("lease_ms", 3_600_000).run().ok("claimed");
        b.ask(HEARTBEAT).with("n", n).with("secret", "s2").with("lease_ms", 3_600_000).run().ok("extended");
    });
}
