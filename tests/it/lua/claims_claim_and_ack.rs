//! lua/claims/claim_and_ack.lua

use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, RETENTION, SECOND, STRANGER, TTL, on_both};

const CLAIM_AND_ACK: &str = "claims/claim_and_ack";

pub fn answers(b: &Bench) {
    b.ask(CLAIM_AND_ACK).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(CLAIM_AND_ACK).with("key", STRANGER).run().no("channel_access_denied");
    b.ask(CLAIM_AND_ACK).with("n", b.now()).run().no("message_not_found");
    let n = b.post();
    let ask = || b.ask(CLAIM_AND_ACK).with("n", n);
    let done = ask().once("r").run().ok("claimed_and_acked").woke(&[]).record(2);
    assert!(done.is_done() && done.attempt == 1);
    ask().once("r").run().ok("replayed").wrote_nothing();
    ask().once("r").with("body", "another").run().no("idempotency_key_reused");
    ask().run().ok("claimed_and_acked").wrote_nothing();
    ask().with("secret", "s2").run().ok("already_acknowledged").wrote_nothing();
    let other = ask().with("secret", "s2").with("actor", OTHER_ACTOR).run().no("already_claimed");
    assert_eq!((other.detail("claimed_by").as_str(), other.detail("state").as_str()), ("worker", "done"));
    assert!(b.zset("open").is_empty() && b.zset("leases").is_empty());
    b.ask("claims/next").run().ok("empty");

    let late = b.post();
    b.at(late + TTL * SECOND);
    b.ask(CLAIM_AND_ACK).with("n", late).run().no("message_expired");
    b.at(late + (TTL + RETENTION) * SECOND);
    b.ask(CLAIM_AND_ACK).with("n", late).run().no("message_not_found");
    b.set("mode", "broadcast");
    b.ask(CLAIM_AND_ACK).with("n", late).run().no("channel_not_claimable");
}

#[test]
fn a_held_message_is_finished_by_its_holder_only_and_a_lease_by_its_token_only() {
    on_both(|b| {
        b.channel(&[]);
        let (plain, leased) = (b.post(), b.post());
        b.claim(plain, 0);
        b.claim(leased, 5000);
        let ask = |n: u64, actor: &str| b.ask(CLAIM_AND_ACK).with("n", n).with("secret", "s2").with("actor", actor).run();
        assert_eq!(ask(plain, OTHER_ACTOR).no("already_claimed").detail("state"), "claimed");
        ask(leased, OTHER_ACTOR).no("already_claimed");
        ask(leased, ACTOR).no("already_claimed");
        let done = ask(plain, ACTOR).ok("claimed_and_acked").record(2);
        assert_eq!((done.attempt, done.acks.len()), (1, 1), "it held it already");

        b.pass(5 * SECOND);
        let done = ask(leased, OTHER_ACTOR).ok("claimed_and_acked").record(2);
        assert_eq!((done.attempt, done.actor_id.as_str(), done.is_done()), (2, OTHER_ACTOR, true), "the lease had ended");
        assert!(b.zset("leases").is_empty() && b.zset("open").is_empty());
        b.ask("claims/ack").with("n", leased).run().no("lease_lost");
    });
}
