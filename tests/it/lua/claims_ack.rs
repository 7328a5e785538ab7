//! lua/claims/ack.lua

use backchannel::claims::record::ClaimRecord;

use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, RETENTION, SECOND, STRANGER, TTL, on_both};

const ACK: &str = "claims/ack";

pub fn answers(b: &Bench) {
    answers_of(b, ACK);
}

/// With or without a result: the answers are the same.
pub fn answers_of(b: &Bench, script: &'static str) {
    b.ask(script).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(script).with("key", STRANGER).run().no("channel_access_denied");
    b.ask(script).with("n", b.now()).run().no("message_not_found");
    let n = b.post();
    let ack = || b.ask(script).with("n", n).with("secret", "");
    ack().run().no("not_claimed");
    b.claim(n, 5000);
    let lost = ack().with("secret", "s2").run().no("lease_lost");
    assert_eq!((lost.detail("attempt#").as_str(), lost.detail("state").as_str()), ("1", "claimed"));
    assert_eq!(ack().with("actor", OTHER_ACTOR).run().no("already_claimed").detail("claimed_by"), "worker");
    ack().once("r").run().ok("acknowledged").woke(&[]);
    ack().once("r").run().ok("replayed").wrote_nothing();
    ack().once("r").with("body", "another").run().no("idempotency_key_reused");
    ack().run().ok("already_acknowledged").wrote_nothing();
    ack().with("secret", "s1").run().ok("already_acknowledged").wrote_nothing();

    b.set("mode", "broadcast");
    let acks = format!("{OTHER_ACTOR}\u{1f}1\u{1f}x\u{1f}").repeat(1000);
    b.run::<()>(&["HSET", &b.key("claims"), &n.to_string(), &format!("b\u{1f}0\u{1f}0\u{1f}\u{1f}\u{1f}\u{1f}\u{1f}0\u{1f}0\u{1f}{acks}")]);
    ack().run().no("too_many_acks");

    b.at(n + TTL * SECOND);
    ack().run().no("message_expired");
    b.at(n + (TTL + RETENTION) * SECOND);
    ack().run().no("message_not_found");
}

#[test]
fn an_acked_message_is_done_and_never_comes_back() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.pass(SECOND);
        let acked = b.ask(ACK).with("n", n).run().ok("acknowledged");
        let record = acked.record(2);
        assert!(record.is_done() && record.lease_until.is_none());
        assert_eq!(record.acks.iter().map(|a| (a.actor_id.as_str(), a.at.0)).collect::<Vec<_>>(), [(ACTOR, b.now())]);
        assert!(b.zset("leases").is_empty() && b.zset("open").is_empty(), "{}", acked.after);
        b.pass(60 * SECOND);
        b.ask("claims/next").run().ok("empty").wrote_nothing();
        b.ask("messages/list_unclaimed").run().ok("page").wrote_nothing();
        b.ask(ACK).with("n", n).with("secret", "").with("actor", OTHER_ACTOR).run().no("already_claimed");
    });
}

#[test]
fn whoever_lost_the_lease_cannot_ack_with_its_token_nor_without() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.pass(5 * SECOND - 1);
        b.ask(ACK).with("n", n).with("key", STRANGER).run().no("lease_lost");
        b.pass(1);
        assert_eq!(b.ask(ACK).with("n", n).run().no("lease_lost").detail("state"), "open");
        b.ask(ACK).with("n", n).with("secret", "").run().no("not_claimed");
        b.ask("claims/claim").with("n", n).with("actor", OTHER_ACTOR).with("name", "late").with("secret", "s2").run().ok("claimed");
        assert_eq!(b.ask(ACK).with("n", n).run().no("lease_lost").detail("attempt#"), "2");
        assert_eq!(b.ask(ACK).with("n", n).with("secret", "").run().no("already_claimed").detail("claimed_by"), "late");
        b.ask(ACK).with("n", n).with("actor", OTHER_ACTOR).with("secret", "s2").run().ok("acknowledged");
        assert_eq!(b.ask(ACK).with("n", n).run().no("lease_lost").detail("state"), "done");
    });
}

#[test]
fn the_token_of_the_running_lease_acks_for_its_holder_whoever_of_its_key_sends_it() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        let ack = || b.ask(ACK).with("n", n).with("actor", OTHER_ACTOR).with("name", "courier");
        let by = |record: ClaimRecord| record.acks.into_iter().map(|a| (a.actor_id, a.actor_name)).collect::<Vec<_>>();
        let holder = vec![(ACTOR.to_owned(), "worker".to_owned())];
        ack().with("secret", "").run().no("already_claimed");
        ack().with("key", STRANGER).run().no("lease_lost");
        assert_eq!(by(ack().run().ok("acknowledged").record(2)), holder);
        assert_eq!(by(ack().run().ok("already_acknowledged").wrote_nothing().record(2)), holder);
    });
}

#[test]
fn on_a_broadcast_channel_each_actor_is_counted_once() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let n = b.post();
        let ack = |actor: &str, name: &str| b.ask(ACK).with("n", n).with("secret", "").with("actor", actor).with("name", name).run();
        ack(ACTOR, "one").ok("acknowledged");
        ack(OTHER_ACTOR, "two").ok("acknowledged");
        let record = ack(ACTOR, "one").ok("already_acknowledged").wrote_nothing().record(2);
        assert_eq!(record.acks.iter().map(|a| a.actor_name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    });
}

/// A key's label is free text and names its first actor: what is looked for among the acks are ids, not names.
#[test]
fn an_actor_named_like_the_id_of_another_does_not_ack_for_it() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let n = b.post();
        b.ask(ACK).with("n", n).with("secret", "").with("actor", OTHER_ACTOR).with("name", ACTOR).run().ok("acknowledged");
        b.ask(ACK).with("n", n).with("secret", "").run().ok("acknowledged");
    });
}
