//! lua/messages/list.lua

use crate::support::script::{Bench, SECOND, START, STRANGER, TTL, on_both};

const LIST: &str = "messages/list";

pub fn answers(b: &Bench) {
    b.ask(LIST).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(LIST).with("key", STRANGER).run().no("channel_access_denied");
    let n = b.post();
    b.claim(n, 5000);
    // An empty key is the replica, reading for waiters that it has checked.
    let page = b.ask(LIST).with("key", "").run().ok("page").wrote_nothing();
    assert_eq!((page.int(0), page.int(1), page.text(2), page.int(3)), (TTL * SECOND, 1, "claimable".into(), n));
    assert_eq!((page.int(4), page.int(5), page.numbers(6), page.int(8)), (0, b.now() + 5 * SECOND, vec![n], 0));
    assert!(page.texts(7)[0].starts_with("h\u{1f}1\u{1f}"));
}

#[test]
fn pages_follow_the_cursor_without_gap_or_repeat() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let all = b.post_many(60);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            let page = b.ask(LIST).with("cursor", cursor).with("limit", 26).run().ok("page").wrote_nothing();
            seen.extend(page.numbers(6));
            if page.int(8) == 0 {
                break;
            }
            cursor = *seen.last().expect("a page that goes on is not empty");
        }
        assert_eq!(seen, all);
    });
}

#[test]
fn a_message_is_live_until_the_microsecond_it_expires() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.at(n + TTL * SECOND - 1);
        assert_eq!(b.listed(LIST), [n]);
        b.pass(1);
        assert_eq!(b.listed(LIST), [0; 0]);
    });
}

#[test]
fn expiring_before_is_exclusive() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(2);
        let before = |at: u64| b.ask(LIST).with("before", at).run().ok("page").numbers(6);
        assert_eq!(before(all[1] + TTL * SECOND), all[..1]);
        assert_eq!(before(all[1] + TTL * SECOND + 1), all);
        assert_eq!(before(1), [0; 0]);
        assert_eq!(b.ask("messages/list_claimed").with("before", 1).run().ok("page").numbers(6), [0; 0]);
    });
}

#[test]
fn a_page_ends_at_one_mebibyte_and_goes_on_and_one_larger_message_is_a_page() {
    on_both(|b| {
        b.channel(&[]);
        for kib in [500, 500, 500, 2000, 1] {
            b.ask("messages/post").with("content", "x".repeat(kib * 1024)).quietly().run().ok("posted");
        }
        let page = |cursor: u64| {
            let page = b.ask(LIST).with("cursor", cursor).quietly().run().ok("page");
            (page.numbers(6), page.int(8))
        };
        assert_eq!(page(0), (vec![START, START + 1], 1));
        assert_eq!(page(START + 1), (vec![START + 2], 1));
        assert_eq!(page(START + 2), (vec![START + 3], 1));
        assert_eq!(page(START + 3), (vec![START + 4], 0));
    });
}

#[test]
fn a_cursor_ahead_of_the_channel_lifts_its_next_number_above_it() {
    on_both(|b| {
        b.channel(&[]);
        b.post();
        let cursor = START + 60 * SECOND;
        let page = b.ask(LIST).with("cursor", cursor).run().ok("page");
        assert_eq!((page.int(3), page.int(4), page.numbers(6)), (cursor, 0, vec![]));
        assert_eq!(b.post(), cursor + 1);
        assert_eq!(b.ask(LIST).with("cursor", cursor).run().ok("page").wrote_nothing().numbers(6), [cursor + 1]);
        // A cursor at or behind the newest, or not after now, changes nothing.
        b.ask(LIST).with("cursor", cursor + 1).run().ok("page").wrote_nothing();
        b.at(START + 120 * SECOND);
        b.ask(LIST).with("cursor", START + 120 * SECOND).run().ok("page").wrote_nothing();
    });
}

#[test]
fn a_cursor_further_ahead_is_told_of_a_gap_and_gets_the_last_minute() {
    on_both(|b| {
        b.channel(&[]);
        let old = b.post();
        b.at(START + 60 * SECOND);
        let young = b.post();
        let cursor = b.now() + 60 * SECOND + 1;
        let page = b.ask(LIST).with("cursor", cursor).run().ok("page").wrote_nothing();
        assert_eq!((page.int(3), page.int(4), page.numbers(6)), (young, 1, vec![young]));
        b.at(b.now() - 1);
        let page = b.ask(LIST).with("cursor", cursor).run().ok("page").wrote_nothing();
        assert_eq!((page.int(4), page.numbers(6)), (1, vec![old, young]));
    });
}
