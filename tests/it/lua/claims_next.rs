//! lua/claims/next.lua

use crate::support::script::{Bench, OTHER_ACTOR, SECOND, STRANGER, TTL, on_both};

const NEXT: &str = "claims/next";

pub fn answers(b: &Bench) {
    b.ask(NEXT).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(NEXT).with("key", STRANGER).run().no("channel_access_denied");
    b.set("mode", "broadcast");
    b.ask(NEXT).run().no("channel_not_claimable");
    b.set("mode", "claimable");
    assert_eq!(b.ask(NEXT).run().ok("empty").wrote_nothing().int(0), 0);
    let n = b.post();
    let claimed = b.ask(NEXT).with("lease_ms", 5000).once("r").run().ok("claimed").woke(&["one"]);
    assert_eq!(claimed.numbers(1), [n]);
    let replayed = b.ask(NEXT).with("lease_ms", 5000).with("secret", "s2").once("r").run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.numbers(1), replayed.texts(2)), (vec![n], claimed.texts(2)));
    b.ask(NEXT).once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(b.ask(NEXT).run().ok("empty").wrote_nothing().int(0), b.now() + 5 * SECOND, "when to look again");
    b.post();
    let full = b.ask(NEXT).with("lease_ms", 5000).with("lease_cap", 1).run().no("quota_exceeded").wrote_nothing();
    assert_eq!((full.detail("limit"), full.detail("value#")), ("leases_per_channel".to_owned(), "1".to_owned()));
}

#[test]
fn no_more_leases_are_given_than_may_run_and_claims_without_one_go_on() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(6);
        let next = || b.ask(NEXT).with("max", 10).with("lease_cap", 4).with("lease_ms", 5000);
        assert_eq!(next().with("max", 3).run().ok("claimed").numbers(1), all[..3]);
        assert_eq!(next().with("secret", "s2").run().ok("claimed").numbers(1), [all[3]], "one is left to give");
        next().run().no("quota_exceeded");
        assert_eq!(next().with("lease_ms", 0).with("max", 1).run().ok("claimed").numbers(1), [all[4]]);
        b.ask("claims/ack").with("n", all[0]).run().ok("acknowledged");
        assert_eq!(next().with("secret", "s3").run().ok("claimed").numbers(1), [all[5]], "an ack makes room");
        b.pass(5 * SECOND);
        assert_eq!(next().with("secret", "s4").run().ok("claimed").numbers(1).len(), 4, "and so does a lease that ends");
    });
}

#[test]
fn the_oldest_are_taken_first_and_no_more_than_asked_for() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(5);
        let took = b.ask(NEXT).with("max", 3).with("lease_ms", 5000).run().ok("claimed");
        assert_eq!(took.numbers(1), all[..3]);
        assert_eq!((b.zset("leases"), b.claimed(), b.zset("open")), (all[..3].to_vec(), all[..3].to_vec(), all[3..].to_vec()));
        assert_eq!(b.ask(NEXT).with("max", 10).with("secret", "s2").run().ok("claimed").numbers(1), all[3..]);
    });
}

#[test]
fn what_expires_this_very_moment_is_not_taken() {
    on_both(|b| {
        b.channel(&[]);
        let first = b.post();
        b.pass(SECOND);
        let second = b.post();
        b.at(first + TTL * SECOND);
        assert_eq!(b.ask(NEXT).run().ok("claimed").numbers(1), [second]);
        b.ask(NEXT).run().ok("empty");
    });
}

#[test]
fn an_ended_lease_is_taken_before_newer_messages_with_the_next_attempt() {
    on_both(|b| {
        b.channel(&[]);
        let (first, _second) = (b.post(), b.post());
        b.ask(NEXT).with("lease_ms", 5000).run().ok("claimed");
        b.pass(5 * SECOND);
        let again = b.ask(NEXT).with("lease_ms", 5000).with("secret", "s2").with("actor", OTHER_ACTOR).run().ok("claimed");
        assert_eq!(again.numbers(1), [first]);
        assert!(again.texts(2)[0].starts_with("h\u{1f}2\u{1f}"), "{:?}", again.texts(2));
    });
}

#[test]
fn at_most_32_ended_leases_are_returned_in_one_call_and_the_rest_by_the_next() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(100);
        for _ in 0..10 {
            b.ask(NEXT).with("max", 10).with("lease_ms", 5000).quietly().run().ok("claimed");
        }
        b.pass(5 * SECOND);
        b.ask(NEXT).with("lease_ms", 60_000).with("secret", "s2").run().ok("claimed");
        // 32 came back and one of them was taken; its lease runs, and 68 ended ones wait.
        assert_eq!((b.zset("open"), b.zset("leases").len()), (all[1..32].to_vec(), 69));
        for secret in ["s3", "s4", "s5"] {
            b.ask(NEXT).with("lease_ms", 60_000).with("secret", secret).run().ok("claimed");
        }
        assert_eq!((b.zset("open"), b.zset("leases").len()), (all[4..].to_vec(), 4));
    });
}

#[test]
fn a_replay_gives_only_what_is_still_held_and_none_left_is_decided_anew() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(3);
        let ask = |secret: &str| b.ask(NEXT).with("max", 2).with("lease_ms", 5000).with("secret", secret).once("r");
        ask("s1").run().ok("claimed");
        b.ask("claims/ack").with("n", all[0]).run().ok("acknowledged");
        assert_eq!(ask("s2").run().ok("replayed").wrote_nothing().numbers(1), all[1..2]);
        b.ask("claims/release").with("n", all[1]).run().ok("released");
        assert_eq!(ask("s3").run().ok("claimed").numbers(1), all[1..]);
    });
}

#[test]
fn the_record_of_ten_claims_stays_small_however_often_they_were_claimed() {
    on_both(|b| {
        b.channel(&[]);
        for n in b.post_many(10) {
            b.run::<()>(&["HSET", &b.key("claims"), &n.to_string(), "o\u{1f}998\u{1f}0\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}0\u{1f}0\u{1f}"]);
        }
        // The runner measures every idempotency record.
        assert_eq!(b.ask(NEXT).with("max", 10).once("r").run().ok("claimed").numbers(1).len(), 10);
    });
}

#[test]
fn an_index_entry_without_its_message_is_dropped_and_the_next_one_given() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(3);
        b.run::<()>(&["XDEL", &b.key("log"), &format!("{}-0", all[0])]);
        assert_eq!(b.ask(NEXT).run().ok("claimed").numbers(1), all[1..2]);
        assert_eq!(b.zset("open"), all[2..]);
    });
}
