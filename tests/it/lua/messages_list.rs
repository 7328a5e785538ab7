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
    assert_eq!((page.int(0), page.int(1), page.text(2), page.int(3)), (TTL * SECOND, 1, "claimable".into(), 0));
    assert_eq!((page.int(4), page.numbers(5), page.int(7)), (b.now() + 5 * SECOND, vec![n], 0));
    assert!(page.texts(6)[0].starts_with("h\u{1f}1\u{1f}"));
    b.ask(LIST).with("cursor", b.now() + SECOND).run().ok("ahead").wrote_nothing();
}

#[test]
fn an_empty_page_says_the_highest_number_given_also_when_that_message_is_gone() {
    on_both(|b| {
        b.channel(&[]);
        let highest = |cursor: u64| b.ask(LIST).with("cursor", cursor).run().ok("page").wrote_nothing().int(3);
        assert_eq!(highest(0), 0);
        let [first, second] = [b.post(), b.post()];
        assert_eq!((highest(second), highest(first)), (second, 0), "of a page that shows something it says nothing");
        b.ask("messages/retract").with("n", second).run().ok("retracted");
        assert_eq!(highest(first), second);
    });
}

#[test]
fn pages_follow_the_cursor_without_gap_or_repeat() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let all = b.post_many(60);
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            let page = b.ask(LIST).with("cursor", cursor).with("limit", 26).run().ok("page").wrote_nothing();
            seen.extend(page.numbers(5));
            if page.int(7) == 0 {
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
        let before = |at: u64| b.ask(LIST).with("before", at).run().ok("page").numbers(5);
        assert_eq!(before(all[1] + TTL * SECOND), all[..1]);
        assert_eq!(before(all[1] + TTL * SECOND + 1), all);
        assert_eq!(before(1), [0; 0]);
        assert_eq!(b.ask("messages/list_claimed").with("before", 1).run().ok("page").numbers(5), [0; 0]);
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
            (page.numbers(5), page.int(7))
        };
        assert_eq!(page(0), (vec![START, START + 1], 1));
        assert_eq!(page(START + 1), (vec![START + 2], 1));
        assert_eq!(page(START + 2), (vec![START + 3], 1));
        assert_eq!(page(START + 3), (vec![START + 4], 0));
    });
}

#[test]
fn a_cursor_is_ahead_when_it_lies_after_now_and_after_the_newest_in_every_list() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        for list in [LIST, "messages/list_claimed", "messages/list_unclaimed"] {
            let ask = |cursor: u64| b.ask(list).with("cursor", cursor).run();
            ask(n + 1).ok("ahead").wrote_nothing();
            b.at(n + 1);
            ask(n + 1).ok("page").wrote_nothing();
            ask(n + 2).ok("ahead").wrote_nothing();
            // A clock that was set back makes no gap of a cursor at the newest message.
            b.at(n - SECOND);
            ask(n).ok("page").wrote_nothing();
            ask(n + 1).ok("ahead").wrote_nothing();
            b.at(n);
        }
    });
}
