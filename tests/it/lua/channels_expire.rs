//! lua/channels/expire.lua

use crate::support::script::{Ask, Bench, OWNER, RETENTION, SECOND, TTL, on_both};

const DAY: u64 = 86_400 * SECOND;

fn expire(b: &Bench) -> Ask<'_> {
    b.ask("channels/expire").with("idle_s", 86_400)
}

/// As Redis does at the deadline; the clock of tests is not Redis' own.
fn let_messages_die(b: &Bench) {
    for name in ["log", "open", "claims", "leases"] {
        b.run::<u64>(&["DEL", &b.key(name)]);
    }
}

/// Where the record and its messages do not fit each other, as they do not in life: the runner would notice.
fn is_kept(b: &Bench) {
    let before = b.dump();
    expire(b).quietly().run().ok("used");
    assert_eq!(b.dump(), before);
}

pub fn answers(b: &Bench) {
    expire(b).run().no("channel_not_found");
    b.channel(&[]);
    b.set("aliases", "one\u{1f}two\u{1f}");
    expire(b).run().ok("used").wrote_nothing();
    b.pass(DAY + SECOND);
    let deleted = expire(b).run().ok("deleted").woke(&["all"]);
    assert_eq!([0, 1, 2].map(|i| deleted.text(i)), [OWNER, "tasks", "one\u{1f}two\u{1f}"]);
    assert_eq!(deleted.after, format!("{} string expires\n  1\n", b.key("gone")), "nothing is left but that it was");
    expire(b).run().no("channel_not_found");
}

#[test]
fn a_channel_is_idle_when_it_was_neither_made_nor_changed_nor_posted_to_for_so_long() {
    on_both(|b| {
        b.channel(&[]);
        b.pass(DAY - SECOND);
        expire(b).run().ok("used").wrote_nothing();
        b.ask("channels/update").rest("description", "new").run().ok("updated");
        b.pass(DAY - SECOND);
        expire(b).run().ok("used").wrote_nothing();
        let n = b.post();
        b.at(n + DAY - SECOND);
        let_messages_die(b);
        is_kept(b);
        // What is known of the newest post once it is gone is a little late.
        b.at(n + DAY + (TTL + RETENTION) * SECOND / 100 + 61 * SECOND);
        expire(b).run().ok("deleted");
    });
}

#[test]
fn what_can_still_be_read_claimed_or_pushed_keeps_its_channel_however_old_it_is() {
    on_both(|b| {
        // Messages and their history live longer than a channel may be idle.
        b.channel(&[("ttl", "864000"), ("retention", "864000")]);
        let n = b.post();
        for days in [2, 9, 11, 19] {
            b.at(n + days * DAY);
            expire(b).run().ok("used").wrote_nothing();
        }
        // Whatever the record says: as after a backup was restored.
        b.set("deadline", "1");
        for days in [9, 19] {
            b.at(n + days * DAY);
            is_kept(b);
        }
        b.run::<u64>(&["DEL", &b.key("log")]);
        b.run::<u64>(&["ZADD", &b.key("leases"), &(b.now() + SECOND).to_string(), &n.to_string()]);
        is_kept(b);
        b.run::<u64>(&["ZREM", &b.key("leases"), &n.to_string()]);
        b.run::<String>(&["XADD", &b.key("outbox"), "1-0", "e", "mention"]);
        is_kept(b);
        let_messages_die(b);
        b.run::<u64>(&["DEL", &b.key("outbox")]);
        expire(b).run().ok("deleted");
    });
}

#[test]
fn a_channel_that_ends_by_itself_is_left_to_its_end() {
    on_both(|b| {
        b.channel(&[]);
        b.ask("channels/end_after").with("life_ms", 60_000).run().ok("ends");
        b.pass(30 * DAY);
        expire(b).run().ok("used").wrote_nothing();
    });
}
