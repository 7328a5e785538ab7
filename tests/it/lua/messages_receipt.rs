//! lua/messages/receipt.lua, lua/messages/watch.lua, and whom they make others tell.

use backchannel::store::reply::text_of;
use deadpool_redis::redis::Value;

use crate::support::answer::Answer;
use crate::support::script::{Bench, CONTENT, RETENTION, SECOND, STRANGER, TTL, on_both};

const RECEIPT: &str = "messages/receipt";
const WATCH: &str = "messages/watch";

pub fn answers(b: &Bench) {
    answers_of(b, RECEIPT);
    let n = b.post();
    b.ask(RECEIPT).with("n", n).run().ok("receipt").wrote_nothing();
    assert_eq!(watched(b), None);
}

pub fn answers_watch(b: &Bench) {
    answers_of(b, WATCH);
    // The replica itself, for waiters it has checked.
    let n = b.post();
    b.ask(WATCH).with("key", "").with("n", n).run().ok("receipt");
}

fn answers_of(b: &Bench, script: &'static str) {
    let ask = |n: u64| b.ask(script).with("n", n);
    ask(1).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    let n = b.post();
    ask(n).with("key", STRANGER).run().no("channel_access_denied");
    ask(n + 1).run().no("message_not_found");
    let open = ask(n).run().ok("receipt");
    assert_eq!((open.int(0), open.int(1), said(&open)), (TTL * SECOND, 1, (true, String::new(), String::new())));
    b.claim(n, 5000);
    assert!(said(&ask(n).run().ok("receipt")).1.starts_with("h\u{1f}1\u{1f}"));
    b.ask("claims/ack_with_result").with("n", n).run().ok("acknowledged");
    let (_, record, result) = said(&ask(n).run().ok("receipt"));
    assert!(record.starts_with("d\u{1f}") && result.ends_with("\u{1f}what came out"), "{record} {result}");
    // In the history, and past it.
    b.at(n + (TTL + RETENTION) * SECOND - 1);
    assert!(said(&ask(n).run().ok("receipt")).0);
    b.pass(1);
    ask(n).run().no("message_not_found");

    let taken_back = b.post();
    b.ask("messages/retract").with("n", taken_back).run().ok("retracted");
    let answer = ask(taken_back).run().ok("retracted").wrote_nothing();
    assert_eq!((answer.int(0), answer.int(1)), (TTL * SECOND, 1));
    b.at(taken_back + (TTL + RETENTION) * SECOND);
    ask(taken_back).run().no("message_not_found");
    b.run::<()>(&["HDEL", &b.key("meta"), "watched"]);
    b.set("mode", "claimable"); // packs the settings anew
}

/// Whether the message came with its content; its claim record; its result.
fn said(answer: &Answer) -> (bool, String, String) {
    let fields = match &answer.list(2)[1] {
        Value::Array(fields) => fields.iter().filter_map(text_of).collect(),
        _ => Vec::new(),
    };
    (fields.contains(&CONTENT.to_owned()), answer.text(3), answer.text(4))
}

fn watched(b: &Bench) -> Option<u64> {
    b.run(&["HGET", &b.key("meta"), "watched"])
}

#[test]
fn however_many_wait_the_channel_is_marked_once_a_minute() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.ask(WATCH).with("n", n).run().ok("receipt");
        let until = b.now() + 120 * SECOND;
        assert_eq!(watched(b), Some(until));
        b.pass(60 * SECOND);
        b.ask(WATCH).with("n", n).run().ok("receipt").wrote_nothing();
        b.pass(1);
        b.ask(WATCH).with("n", n).run().ok("receipt");
        assert_eq!(watched(b), Some(until + 60 * SECOND + 1));
    });
}

#[test]
fn while_somebody_waits_claims_and_acks_and_retractions_are_told_and_else_not() {
    on_both(|b| {
        b.channel(&[]);
        let all = |told: bool| {
            let told = |word: &'static str| if told { vec![word] } else { vec![] };
            let [claimed, taken, done_at_once, retracted] = [b.post(), b.post(), b.post(), b.post()];
            b.ask("claims/claim").with("n", claimed).run().ok("claimed").woke(&told("claimed"));
            b.ask("claims/next").run().ok("claimed").woke(&told("claimed"));
            b.ask("claims/ack").with("n", claimed).run().ok("acknowledged").woke(&told("done"));
            b.ask("claims/ack_with_result").with("n", taken).run().ok("acknowledged").woke(&told("done"));
            b.ask("claims/claim_and_ack").with("n", done_at_once).run().ok("claimed_and_acked").woke(&told("done"));
            b.ask("messages/retract").with("n", retracted).run().ok("retracted").woke(&told("retracted"));
            // Said once.
            b.ask("claims/ack").with("n", claimed).run().ok("already_acknowledged").woke(&[]);
        };
        all(false);
        let n = b.post();
        b.ask(WATCH).with("n", n).run().ok("receipt");
        b.ask("messages/retract").with("n", n).run().ok("retracted");
        all(true);
        b.pass(120 * SECOND);
        all(false);
    });
}
