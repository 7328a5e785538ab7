//! lua/claims/claim.lua

use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, OWNER, RETENTION, SECOND, STRANGER, TTL, on_both};

const CLAIM: &str = "claims/claim";

pub fn answers(b: &Bench) {
    b.ask(CLAIM).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(CLAIM).with("key", STRANGER).run().no("channel_access_denied");
    b.set("mode", "broadcast");
    b.ask(CLAIM).run().no("channel_not_claimable");
    b.set("mode", "claimable");
    b.set("access", "open");
    b.ask(CLAIM).with("n", b.now()).run().no("message_not_found");

    let n = b.post();
    b.ask(CLAIM).with("n", n).once("r").run().ok("claimed");
    b.ask(CLAIM).with("n", n).with("secret", "s2").once("r").run().ok("replayed").wrote_nothing();
    b.ask(CLAIM).with("n", n).once("r").with("body", "another").run().no("idempotency_key_reused");
    b.ask(CLAIM).with("n", n).with("secret", "s2").run().ok("already_claimed").wrote_nothing();
    let refused = b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).with("secret", "s2").run().no("already_claimed");
    assert_eq!((refused.detail("claimed_by").as_str(), refused.detail("state").as_str()), ("worker", "claimed"));
    b.ask("claims/ack").with("n", n).run().ok("acknowledged");
    b.ask(CLAIM).with("n", n).with("secret", "s2").run().ok("already_acknowledged").wrote_nothing();
    let refused = b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).run().no("already_claimed");
    assert_eq!(refused.detail("state"), "done");

    let (held, more) = (b.post(), b.post());
    let leased = |n: u64| b.ask(CLAIM).with("n", n).with("lease_ms", 5000).with("lease_cap", 1);
    leased(held).run().ok("claimed");
    assert_eq!(leased(more).run().no("quota_exceeded").wrote_nothing().detail("value#"), "1");

    b.at(n + TTL * SECOND);
    b.ask(CLAIM).with("n", n).run().no("message_expired");
}

#[test]
fn leases_are_counted_at_each_claim_when_one_has_found_that_they_are_nearly_too_many() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(6);
        let many = "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], ARGV[2] + 1e9, ARGV[3] .. i) end";
        let fill = |count: &str, name: &str| b.run::<()>(&["EVAL", many, "1", &b.key("leases"), count, &b.now().to_string(), name]);
        let out = || b.run::<Option<String>>(&["HGET", &b.key("meta"), "leased_out"]).is_some_and(|out| out == "1");
        let claim = |n: u64, past: u64| {
            b.at(b.now().next_multiple_of(32) + past);
            b.ask(CLAIM).with("n", n).with("lease_ms", 60_000).with("lease_cap", 2001).quietly().run()
        };
        fill("1000", "a");
        claim(all[0], 0).ok("claimed");
        assert!(!out(), "1001 more may run");
        fill("2000", "b");
        claim(all[1], 1).ok("claimed");
        assert!(!out(), "31 of 32 do not look");
        claim(all[2], 0).no("quota_exceeded");
        b.run::<()>(&["ZREMRANGEBYRANK", &b.key("leases"), "1", "1500"]);
        claim(all[2], 0).ok("claimed");
        assert!(out());
        fill("1000", "c");
        claim(all[3], 1).no("quota_exceeded");
        b.run::<()>(&["ZREMRANGEBYRANK", &b.key("leases"), "1", "2000"]);
        claim(all[3], 1).ok("claimed");
        assert!(!out(), "there is room again");
    });
}

#[test]
fn a_claim_moves_the_message_from_open_into_a_record_and_its_lease_into_the_index() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.pass(SECOND);
        let claimed = b.ask(CLAIM).with("n", n).with("lease_ms", 5000).run().ok("claimed").woke(&["one"]);
        let (at, ends) = (b.now(), b.now() + 5 * SECOND);
        let record = format!("h\u{1f}1\u{1f}{ends}\u{1f}s1\u{1f}{}\u{1f}{ACTOR}\u{1f}worker\u{1f}{at}\u{1f}{at}\u{1f}", OWNER);
        assert_eq!(claimed.text(2), record);
        assert!(claimed.after.contains(&format!("claims hash expires\n  - = \n  {n} = {record}\n")), "{}", claimed.after);
        assert!(claimed.after.contains(&format!("leases zset expires\n  {ends} {n}\n  inf -\n")), "{}", claimed.after);
        assert!(b.zset("open").is_empty(), "nothing else was open\n{}", claimed.after);
    });
}

#[test]
fn a_plain_claim_holds_until_the_message_expires_and_not_a_microsecond_longer() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 0);
        b.at(n + TTL * SECOND - 1);
        b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).with("secret", "s2").run().no("already_claimed");
        b.at(n + TTL * SECOND);
        b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).with("secret", "s2").run().no("message_expired");
        b.at(n + (TTL + RETENTION) * SECOND - 1);
        b.ask(CLAIM).with("n", n).run().no("message_expired");
        b.pass(1);
        b.ask(CLAIM).with("n", n).run().no("message_not_found");
    });
}

#[test]
fn a_lease_is_over_the_moment_it_ends_and_another_actor_gets_the_next_attempt() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        let other = |secret: &str| {
            b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).with("name", "late").with("secret", secret).with("lease_ms", 9000)
        };
        b.pass(5 * SECOND - 1);
        other("s2").run().no("already_claimed");
        b.pass(1);
        let record = other("s2").run().ok("claimed").record(2);
        assert_eq!((record.attempt, record.actor_name.as_str(), record.secret.as_str()), (2, "late", "s2"));
        let ends: String = b.run(&["ZSCORE", &b.key("leases"), &n.to_string()]);
        assert_eq!(ends, (b.now() + 9 * SECOND).to_string());
        // A plain claim of a lapsed lease leaves none in the index.
        b.pass(9 * SECOND);
        b.ask(CLAIM).with("n", n).with("secret", "s3").run().ok("claimed");
        assert!(b.zset("leases").is_empty() && b.zset("open").is_empty());
    });
}

#[test]
fn the_actor_that_holds_it_under_a_lease_is_refused_like_everybody_else() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.ask(CLAIM).with("n", n).with("secret", "s2").with("lease_ms", 5000).run().no("already_claimed");
        b.ask(CLAIM).with("n", n).with("secret", "s2").run().no("already_claimed");
        // The same secret is the same request, sent again because its answer was lost.
        b.ask(CLAIM).with("n", n).with("lease_ms", 5000).run().ok("claimed").wrote_nothing();
    });
}

#[test]
fn a_repeat_under_its_key_is_replayed_only_while_that_claim_is_current() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.ask(CLAIM).with("n", n).with("lease_ms", 5000).once("r").run().ok("claimed");
        b.ask(CLAIM).with("n", n).with("lease_ms", 5000).with("secret", "s2").once("r").run().ok("replayed").wrote_nothing();
        b.pass(5 * SECOND);
        let again = b.ask(CLAIM).with("n", n).with("lease_ms", 5000).with("secret", "s3").once("r").run().ok("claimed");
        assert_eq!(again.record(2).attempt, 2, "decided anew");
        b.pass(5 * SECOND);
        b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).with("secret", "s4").run().ok("claimed");
        b.ask(CLAIM).with("n", n).with("lease_ms", 5000).with("secret", "s5").once("r").run().no("already_claimed");
    });
}

#[test]
fn only_a_claim_whose_lease_ends_first_of_all_wakes_a_waiter() {
    on_both(|b| {
        b.channel(&[]);
        let [first, second, third] = [b.post(), b.post(), b.post()];
        let claim = |n: u64, lease_ms: u64| b.ask(CLAIM).with("n", n).with("lease_ms", lease_ms).run().ok("claimed");
        claim(first, 5000).woke(&["one"]);
        claim(second, 9000).woke(&[]);
        claim(third, 2000).woke(&["one"]);
    });
}

#[test]
fn a_missing_record_never_means_free() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.run::<()>(&["HDEL", &b.key("claims"), &n.to_string()]);
        b.ask(CLAIM).with("n", n).with("actor", OTHER_ACTOR).run().no("already_claimed");
    });
}
