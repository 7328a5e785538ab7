//! lua/messages/history.lua

use crate::support::script::{Bench, RETENTION, SECOND, STRANGER, TTL, on_both};

const HISTORY: &str = "messages/history";

pub fn answers(b: &Bench) {
    b.ask(HISTORY).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(HISTORY).with("key", STRANGER).run().no("channel_access_denied");
    let n = b.post();
    b.claim(n, 0);
    b.at(n + TTL * SECOND);
    let page = b.ask(HISTORY).run().ok("page").wrote_nothing();
    assert_eq!((page.int(0), page.numbers(1), page.int(3)), (TTL * SECOND, vec![n], 0));
    assert!(page.texts(2)[0].starts_with("h\u{1f}1\u{1f}"), "who held it at the end");
}

#[test]
fn a_message_is_history_from_its_expiry_to_the_end_of_its_retention() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.at(n + TTL * SECOND - 1);
        assert_eq!(b.listed(HISTORY), [0; 0]);
        b.pass(1);
        assert_eq!(b.listed(HISTORY), [n]);
        b.at(n + (TTL + RETENTION) * SECOND - 1);
        assert_eq!(b.listed(HISTORY), [n]);
        b.pass(1);
        assert_eq!(b.listed(HISTORY), [0; 0]);
    });
}

#[test]
fn pages_go_back_from_the_newest_and_live_messages_are_in_none() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(60);
        b.at(all[54] + TTL * SECOND);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            let page = b.ask(HISTORY).with("cursor", cursor).with("limit", 26).run().ok("page").wrote_nothing();
            seen.extend(page.numbers(1));
            if page.int(3) == 0 {
                break;
            }
            cursor = *seen.last().expect("a page that goes on is not empty");
        }
        seen.reverse();
        assert_eq!(seen, all[..55]);
        // A cursor among the live ones is one before all history.
        assert_eq!(b.ask(HISTORY).with("cursor", all[59]).with("limit", 1).run().ok("page").numbers(1), all[54..55]);
    });
}

#[test]
fn a_retracted_message_is_in_no_history() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(2);
        b.ask("messages/retract").with("n", all[0]).run().ok("retracted");
        b.at(all[1] + TTL * SECOND);
        assert_eq!(b.listed(HISTORY), all[1..]);
    });
}
