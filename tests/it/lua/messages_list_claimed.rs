//! lua/messages/list_claimed.lua

use crate::support::script::{Bench, SECOND, START, STRANGER, TTL, on_both};

const LIST: &str = "messages/list_claimed";

pub fn answers(b: &Bench) {
    b.ask(LIST).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(LIST).with("key", STRANGER).run().no("channel_access_denied");
    let (held, open) = (b.post(), b.post());
    b.claim(held, 5000);
    let page = b.ask(LIST).run().ok("page").wrote_nothing();
    assert_eq!((page.int(4), page.numbers(5), page.int(7), page.int(8)), (b.now() + 5 * SECOND, vec![held], 0, open));
    assert!(page.texts(6)[0].starts_with("h\u{1f}1\u{1f}"));
    b.ask(LIST).with("cursor", b.now() + SECOND).run().ok("ahead").wrote_nothing();
}

#[test]
fn held_and_acked_are_claimed_and_an_ended_lease_is_not() {
    on_both(|b| {
        b.channel(&[]);
        let [lapsed, acked, held, _open] = [b.post(), b.post(), b.post(), b.post()];
        b.claim(lapsed, 5000);
        b.claim(acked, 5000);
        b.claim(held, 0);
        b.ask("claims/ack").with("n", acked).run().ok("acknowledged");
        assert_eq!(b.listed(LIST), [lapsed, acked, held]);
        b.pass(5 * SECOND);
        assert_eq!(b.listed(LIST), [acked, held], "it is only read here, not reclaimed");
        assert_eq!(b.zset("leases"), [lapsed]);
        b.at(held + TTL * SECOND - 1);
        assert_eq!(b.listed(LIST), [held]);
        b.pass(1);
        assert_eq!(b.listed(LIST), [0; 0]);
        b.set("mode", "broadcast");
        assert_eq!(b.listed(LIST), [0; 0]);
    });
}

#[test]
fn no_more_than_500_messages_are_looked_at_and_the_next_page_goes_on_there() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(600);
        for n in [all[499], all[500]] {
            b.ask("claims/claim").with("n", n).quietly().run().ok("claimed");
        }
        let page = b.ask(LIST).quietly().run().ok("page");
        assert_eq!((page.numbers(5), page.int(7), page.int(8)), (vec![all[499]], 1, all[499]));
        let page = b.ask(LIST).with("cursor", page.int(8)).quietly().run().ok("page");
        assert_eq!((page.numbers(5), page.int(7), page.int(8)), (vec![all[500]], 0, all[599]));
        let page = b.ask(LIST).with("cursor", all[599]).quietly().run().ok("page");
        assert_eq!((page.numbers(5).len(), page.int(7), page.int(8)), (0, 0, 0));
    });
}

#[test]
fn pages_end_at_the_limit_and_at_one_mebibyte_and_go_on_after_what_was_shown() {
    on_both(|b| {
        b.channel(&[]);
        for kib in [500, 1, 500, 500, 2000] {
            let n = b.ask("messages/post").with("content", "x".repeat(kib * 1024)).quietly().run().ok("posted").int(0);
            if n != START + 1 {
                b.ask("claims/claim").with("n", n).quietly().run().ok("claimed");
            }
        }
        let page = |cursor: u64, limit: u64| {
            let page = b.ask(LIST).with("cursor", cursor).with("limit", limit).quietly().run().ok("page");
            (page.numbers(5), page.int(7), page.int(8))
        };
        assert_eq!(page(0, 50), (vec![START, START + 2], 1, START + 2));
        assert_eq!(page(START + 2, 50), (vec![START + 3], 1, START + 3));
        assert_eq!(page(START + 3, 50), (vec![START + 4], 0, START + 4));
        assert_eq!(page(0, 1), (vec![START], 1, START + 1));
        let before = b.ask(LIST).with("before", START + 2 + TTL * SECOND).quietly().run().ok("page");
        assert_eq!(before.numbers(5), [START]);
    });
}
