//! lua/messages/list_unclaimed.lua

use crate::support::script::{Bench, SECOND, START, STRANGER, TTL, on_both};

const LIST: &str = "messages/list_unclaimed";

pub fn answers(b: &Bench) {
    b.ask(LIST).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(LIST).with("key", STRANGER).run().no("channel_access_denied");
    let (held, open) = (b.post(), b.post());
    b.claim(held, 5000);
    let page = b.ask(LIST).run().ok("page").wrote_nothing();
    assert_eq!((page.int(3), page.int(4), page.numbers(5), page.texts(6)), (0, b.now() + 5 * SECOND, vec![open], vec![String::new()]));
    b.ask(LIST).with("cursor", b.now() + SECOND).run().ok("ahead").wrote_nothing();
}

#[test]
fn an_ended_lease_counts_as_unclaimed_and_acked_or_expired_does_not() {
    on_both(|b| {
        b.channel(&[]);
        let [lapsed, acked, held, open] = [b.post(), b.post(), b.post(), b.post()];
        b.claim(lapsed, 5000);
        b.claim(acked, 5000);
        b.claim(held, 0);
        b.ask("claims/ack").with("n", acked).run().ok("acknowledged");
        b.pass(5 * SECOND);
        let page = b.ask(LIST).run().ok("page");
        assert_eq!((page.numbers(5), page.int(4)), (vec![lapsed, open], 0));
        assert!(page.texts(6)[0].starts_with("o\u{1f}1\u{1f}"));
        b.at(open + TTL * SECOND - 1);
        assert_eq!(b.listed(LIST), [open], "one microsecond more than the others has");
        b.pass(1);
        assert_eq!(b.listed(LIST), [0; 0]);
    });
}

#[test]
fn at_most_32_ended_leases_are_returned_in_one_call_and_the_rest_by_the_next() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(100);
        for &n in &all {
            b.ask("claims/claim").with("n", n).with("lease_ms", 5000).quietly().run().ok("claimed");
        }
        b.pass(5 * SECOND);
        let list = || b.ask(LIST).with("limit", 100).run().ok("page").numbers(5).len();
        assert_eq!([list(), list(), list(), list()], [32, 64, 96, 100]);
        assert!(b.zset("leases").is_empty());
    });
}

#[test]
fn pages_follow_the_cursor_and_end_at_one_mebibyte() {
    on_both(|b| {
        b.channel(&[]);
        for kib in [500, 500, 500, 2000] {
            b.ask("messages/post").with("content", "x".repeat(kib * 1024)).quietly().run().ok("posted");
        }
        let page = |cursor: u64, before: u64, limit: u64| {
            let page = b.ask(LIST).with("cursor", cursor).with("before", before).with("limit", limit).quietly().run().ok("page");
            (page.numbers(5), page.int(7))
        };
        assert_eq!(page(0, 0, 50), (vec![START, START + 1], 1));
        assert_eq!(page(START + 1, 0, 50), (vec![START + 2], 1));
        assert_eq!(page(START + 2, 0, 50), (vec![START + 3], 0));
        assert_eq!(page(0, 0, 1), (vec![START], 1));
        assert_eq!(page(0, START + 1 + TTL * SECOND, 50), (vec![START], 0));
    });
}

#[test]
fn on_a_broadcast_channel_everything_is_unclaimed() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let all = b.post_many(2);
        b.ask("claims/ack").with("n", all[0]).with("secret", "").run().ok("acknowledged");
        assert_eq!(b.listed(LIST), all);
        assert_eq!(b.ask(LIST).with("cursor", all[0]).run().ok("page").numbers(5), all[1..]);
        assert_eq!(b.ask(LIST).with("before", all[1] + TTL * SECOND).run().ok("page").numbers(5), all[..1]);
        assert_eq!(b.ask(LIST).with("before", 1).run().ok("page").numbers(5), [0; 0]);
    });
}
