//! lua/claims/ack_with_result.lua, and what becomes of results.

use super::claims_ack;
use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, OWNER, RETENTION, SECOND, STRANGER, TTL, on_both};

const ACK: &str = "claims/ack_with_result";

pub fn answers(b: &Bench) {
    claims_ack::answers_of(b, ACK);
    b.set("mode", "claimable");
    let n = b.post();
    b.claim(n, 5000);
    b.set("full_until", &(b.now() + SECOND).to_string());
    b.ask(ACK).with("n", n).run().ok("full").wrote_nothing();
    b.set("full_until", "1");
    b.ask(ACK).with("n", n).run().ok("look");
}

/// The parts of a message's result, as they are stored.
fn result(b: &Bench, n: u64) -> Option<Vec<String>> {
    let stored: Option<String> = b.run(&["HGET", &b.key("claims"), &format!("r{n}")]);
    stored.map(|text| text.split('\u{1f}').map(str::to_owned).collect())
}

/// How many results the channel says it has, and how many it has.
fn results(b: &Bench) -> (usize, usize) {
    let (said, fields): (Option<usize>, Vec<String>) = (b.run(&["HGET", &b.key("claims"), "results"]), b.run(&["HKEYS", &b.key("claims")]));
    (said.unwrap_or(0), fields.iter().filter(|f| f.starts_with('r') && *f != "results").count())
}

#[test]
fn the_result_is_kept_with_who_gave_it_and_a_repeat_changes_nothing() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.pass(SECOND);
        b.ask(ACK).with("n", n).once("r").run().ok("acknowledged");
        let kept = Some([OWNER, ACTOR, "worker", &b.now().to_string(), "what came out"].map(str::to_owned).to_vec());
        assert_eq!((result(b, n), results(b)), (kept.clone(), (1, 1)));
        b.pass(SECOND);
        b.ask(ACK).with("n", n).once("r").run().ok("replayed").wrote_nothing();
        b.ask(ACK).with("n", n).with("result", "another").run().ok("already_acknowledged").wrote_nothing();
        b.ask("claims/ack").with("n", n).run().ok("already_acknowledged").wrote_nothing();
        assert_eq!(result(b, n), kept);
        // A result is not a claim.
        assert_eq!(b.ask("usage/channel").run().ok("holds").int(1), 1);
    });
}

#[test]
fn a_refused_ack_leaves_no_result() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.ask(ACK).with("n", n).run().no("lease_lost");
        b.claim(n, 5000);
        b.ask(ACK).with("n", n).with("secret", "").with("actor", OTHER_ACTOR).run().no("already_claimed");
        b.ask(ACK).with("n", n).with("key", STRANGER).run().no("lease_lost");
        assert_eq!((result(b, n), results(b)), (None, (0, 0)));
    });
}

#[test]
fn of_the_acks_of_a_broadcast_the_first_result_stays() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let n = b.post();
        b.ask("claims/ack").with("n", n).with("secret", "").with("actor", OTHER_ACTOR).run().ok("acknowledged");
        for (actor, text) in [(ACTOR, "first"), ("act_ssssssssssssssssbbbbbbbbbb", "second")] {
            b.ask(ACK).with("n", n).with("secret", "").with("actor", actor).with("result", text).run().ok("acknowledged");
        }
        assert_eq!(result(b, n).map(|parts| (parts[1].clone(), parts[4].clone())), Some((ACTOR.to_owned(), "first".to_owned())));
        assert_eq!(results(b), (1, 1));
        assert_eq!(b.ask("usage/channel").run().ok("holds").int(1), 0);
        // With its message.
        b.ask("messages/retract").with("n", n).run().ok("retracted");
        assert_eq!((result(b, n), results(b)), (None, (0, 0)));
    });
}

#[test]
fn a_result_goes_with_its_message() {
    on_both(|b| {
        // Pushed out of a ring.
        b.channel(&[]);
        b.set("max_messages", "2");
        let [first, second] = [b.post(), b.post()];
        for n in [first, second] {
            b.claim(n, 5000);
            b.ask(ACK).with("n", n).run().ok("acknowledged");
        }
        let third = b.post();
        assert_eq!((result(b, first), result(b, second).is_some(), results(b)), (None, true, (1, 1)));
        // Past retention, when somebody posts: a post at such a time trims.
        b.at((third + (TTL + RETENTION) * SECOND).next_multiple_of(32));
        b.set("max_messages", "");
        b.post();
        assert_eq!((result(b, second), results(b)), (None, (0, 0)));
        // With the channel.
        let last = b.post();
        b.claim(last, 5000);
        b.ask(ACK).with("n", last).run().ok("acknowledged");
        b.ask("channels/delete").run().ok("deleted");
        assert!(!b.dump().contains("what came out"), "{}", b.dump());
    });
}
