//! lua/messages/retract.lua

use crate::support::script::{Bench, CONTENT, OWNER, RETENTION, SECOND, START, STRANGER, TTL, on_both};

const RETRACT: &str = "messages/retract";

pub fn answers(b: &Bench) {
    b.ask(RETRACT).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(RETRACT).with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    b.ask(RETRACT).with("n", b.now()).run().no("message_not_found");
    let (n, held) = (b.post(), b.post());
    b.ask(RETRACT).with("n", n).with("key", STRANGER).run().no("forbidden");
    b.claim(held, 0);
    b.ask(RETRACT).with("n", held).run().no("message_claimed");
    let retract = || b.ask(RETRACT).with("n", n).once("r").run();
    retract().ok("retracted");
    retract().ok("replayed").wrote_nothing();
    b.ask(RETRACT).with("n", n).once("r").with("body", "another").run().no("idempotency_key_reused");
    b.ask(RETRACT).with("n", n).run().no("message_not_found");
    b.at(held + TTL * SECOND);
    b.ask(RETRACT).with("n", held).run().no("message_expired");
    b.at(held + (TTL + RETENTION) * SECOND);
    b.ask(RETRACT).with("n", held).run().no("message_not_found");
}

#[test]
fn nothing_but_its_number_is_left_of_a_retracted_message() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.ask("claims/release").with("n", n).run().ok("released");
        let gone = b.ask(RETRACT).with("n", n).run().ok("retracted");
        assert!(gone.after.contains(&format!("retracted zset expires\n  {n} {n}\n")), "{}", gone.after);
        assert!(!gone.after.contains(CONTENT), "{}", gone.after);
        assert!(b.zset("open").is_empty() && b.zset("leases").is_empty() && b.claimed().is_empty() && b.log().is_empty());
        b.ask("claims/claim").with("n", n).run().no("message_not_found");
        b.ask("claims/next").run().ok("empty");
    });
}

#[test]
fn numbers_of_the_retracted_go_64_at_a_time_when_they_are_past_retention() {
    on_both(|b| {
        b.channel(&[]);
        let old = b.post_many(70);
        for n in &old {
            b.ask(RETRACT).with("n", n).quietly().run().ok("retracted");
        }
        assert_eq!(b.zset("retracted"), old);
        let dies = || b.run::<u64>(&["PEXPIRETIME", &b.key("retracted")]);
        assert_eq!(dies(), (START + (TTL + RETENTION) * SECOND) / 1000);
        b.at(old[69] + (TTL + RETENTION) * SECOND);
        let young = [b.post(), b.post()];
        b.ask(RETRACT).with("n", young[0]).run().ok("retracted");
        assert_eq!(b.zset("retracted"), [&old[64..], &young[..1]].concat());
        assert_eq!(dies(), (b.now() + (TTL + RETENTION) * SECOND) / 1000);
        b.ask(RETRACT).with("n", young[1]).run().ok("retracted");
        assert_eq!(b.zset("retracted"), young);
    });
}

#[test]
fn the_poster_and_the_owner_may_and_a_key_that_looks_alike_may_not() {
    on_both(|b| {
        b.channel(&[]);
        let post = |key: &str| b.ask("messages/post").with("head", format!("{key}\u{1f}\u{1f}\u{1f}{STRANGER}")).run().ok("posted").int(0);
        let (by_stranger, by_owner) = (post(STRANGER), post(OWNER));
        b.ask(RETRACT).with("n", by_owner).with("key", STRANGER).run().no("forbidden");
        b.ask(RETRACT).with("n", by_stranger).with("key", &STRANGER[..29]).run().no("forbidden");
        b.ask(RETRACT).with("n", by_stranger).with("key", STRANGER).run().ok("retracted");
        let again = post(STRANGER);
        b.ask(RETRACT).with("n", again).run().ok("retracted");
    });
}

#[test]
fn held_or_acked_it_stays_and_a_lease_that_ran_out_holds_nothing() {
    on_both(|b| {
        b.channel(&[]);
        let (leased, acked) = (b.post(), b.post());
        b.claim(leased, 5000);
        b.claim(acked, 0);
        b.ask("claims/ack").with("n", acked).with("secret", "").run().ok("acknowledged");
        b.ask(RETRACT).with("n", acked).run().no("message_claimed");
        b.pass(5 * SECOND - 1);
        b.ask(RETRACT).with("n", leased).run().no("message_claimed");
        b.pass(1);
        b.ask(RETRACT).with("n", leased).run().ok("retracted");
        assert!(b.zset("leases").is_empty());
        b.ask("claims/next").run().ok("empty");
        b.ask("claims/heartbeat").with("n", leased).with("lease_ms", 5000).run().no("lease_expired");
    });
}

#[test]
fn an_acked_broadcast_can_be_taken_back() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let n = b.post();
        b.ask("claims/ack").with("n", n).with("secret", "").run().ok("acknowledged");
        b.ask(RETRACT).with("n", n).run().ok("retracted");
        assert!(b.claimed().is_empty());
    });
}
