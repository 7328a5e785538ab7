//! lua/messages/lift.lua

use crate::support::script::{Bench, SECOND, START, STRANGER, on_both};

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
            (page.int(3), page.numbers(5))
        };
        assert_eq!(restart(), (young, vec![young]));
        b.at(b.now() - 1);
        assert_eq!(restart(), (young, vec![old, young]));
    });
}
