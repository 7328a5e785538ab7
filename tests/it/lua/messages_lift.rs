//! lua/messages/lift.lua

use crate::support::script::{Bench, RETENTION, SECOND, START, STRANGER, TTL, on_both};

const LIFT: &str = "messages/lift";
const LIST: &str = "messages/list";

pub fn answers(b: &Bench) {
    b.ask(LIFT).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(LIFT).with("key", STRANGER).with("cursor", b.now() + SECOND).run().no("channel_access_denied");
    // An empty key is the replica, reading for waiters that it has checked.
    b.ask(LIFT).with("key", "").with("cursor", b.now() + SECOND).run().ok("lifted").woke(&[]);
    b.ask(LIFT).with("cursor", b.now() + 60 * SECOND + 1).run().ok("gap").wrote_nothing();
}

#[test]
fn a_cursor_ahead_of_the_channel_lifts_its_next_number_above_it() {
    on_both(|b| {
        b.channel(&[]);
        b.post();
        let cursor = START + 60 * SECOND;
        let lift = |cursor: u64| b.ask(LIFT).with("cursor", cursor).run().ok("lifted");
        let list = |cursor: u64| b.ask(LIST).with("cursor", cursor).run().wrote_nothing();
        list(cursor).ok("ahead");
        lift(cursor);
        let page = list(cursor).ok("page");
        assert_eq!((page.int(3), page.numbers(5)), (cursor, vec![]));
        assert_eq!(b.post(), cursor + 1);
        assert_eq!(list(cursor).ok("page").numbers(5), [cursor + 1]);
        list(cursor + 1).ok("page");
        // A cursor behind the newest changes nothing: numbers never go down.
        for behind in [cursor, START, 0] {
            lift(behind).wrote_nothing();
        }
        assert_eq!(b.post(), cursor + 2);
    });
}

#[test]
fn a_channel_without_a_log_is_lifted_too_and_stays_so_until_its_deadline() {
    on_both(|b| {
        b.channel(&[]);
        let cursor = START + 30 * SECOND;
        let lifted = b.ask(LIFT).with("cursor", cursor).run().ok("lifted");
        assert!(lifted.after.contains("log stream expires\n"), "{}", lifted.after);
        assert!(b.log().is_empty(), "no message is left of it");
        assert_eq!(b.deadline(), cursor / 1000 + (TTL + RETENTION) * 1020 + 60_000);
        assert_eq!(b.post(), cursor + 1);
        b.ask("claims/next").run().ok("claimed");
        // Lifted again, it lives on from there.
        b.at(cursor);
        b.ask(LIFT).with("cursor", cursor + 60 * SECOND).run().ok("lifted");
        assert_eq!(b.deadline(), (cursor + 60 * SECOND) / 1000 + (TTL + RETENTION) * 1020 + 60_000);
        assert_eq!((b.log(), b.post()), (vec![cursor + 1], cursor + 60 * SECOND + 1));
    });
}

#[test]
fn a_cursor_further_ahead_is_told_of_a_gap_and_starts_over_with_the_last_minute() {
    on_both(|b| {
        b.channel(&[]);
        let old = b.post();
        b.at(START + 60 * SECOND);
        let young = b.post();
        let cursor = b.now() + 60 * SECOND + 1;
        let restart = || {
            let from = b.ask(LIFT).with("cursor", cursor).run().ok("gap").wrote_nothing().int(0);
            assert_eq!(from, b.now() - 60 * SECOND);
            let page = b.ask(LIST).with("cursor", from).run().ok("page").wrote_nothing();
            page.numbers(5)
        };
        assert_eq!(restart(), vec![young]);
        b.at(b.now() - 1);
        assert_eq!(restart(), vec![old, young]);
    });
}
