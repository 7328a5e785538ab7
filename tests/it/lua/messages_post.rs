//! lua/messages/post.lua

use super::webhooks::{HOOK, refuses_when_full};
use crate::support::script::{Bench, CONTENT, OWNER, RETENTION, SECOND, START, STRANGER, TTL, on_both};

const POST: &str = "messages/post";

pub fn answers(b: &Bench) {
    b.ask(POST).run().no("channel_not_found");
    b.channel(&[("access", "restricted"), ("mode", "broadcast")]);
    b.ask(POST).by(STRANGER).run().no("channel_access_denied");
    b.ask(POST).with("task", "1").run().no("channel_not_claimable");
    let set = |field: &str, value: &str| b.set(field, value);
    set("paused", "1");
    assert_eq!(b.ask(POST).run().no("channel_paused").detail("retry_after_ms#"), "30000");
    set("paused", "0");
    let posted = b.ask(POST).once("r").run().ok("posted").woke(&["more"]);
    let replayed = b.ask(POST).once("r").run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.int(0), replayed.int(1)), (posted.int(0), TTL * SECOND));
    b.ask(POST).once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(b.ask(POST).with("cap", 1).run().no("quota_exceeded").detail("value#"), "1");
    assert_eq!(b.ask(POST).with("cap_bytes", 1).run().no("quota_exceeded").detail("limit"), "bytes_per_channel");
    b.ask("channels/full").with("seconds", 30).run().ok("marked");
    b.ask(POST).run().ok("full").wrote_nothing();
    set("full_until", "1");
    b.ask(POST).run().ok("look");
    set("full_until", "");
    set("metadata_schema", "{\"required\":[\"a\"]}");
    set("schema_rev", "f1");
    let changed = b.ask(POST).run().ok("schema_changed").wrote_nothing();
    assert_eq!((changed.text(0), changed.text(1)), ("f1".to_owned(), "{\"required\":[\"a\"]}".to_owned()));
    b.ask(POST).with("schema", "-").run().ok("schema_changed").wrote_nothing();
    b.ask(POST).with("schema", "f1").run().ok("posted");
    b.ask(POST).once("r").run().ok("replayed").wrote_nothing();
    set("schema_rev", "");
    b.ask(POST).with("schema", "f1").run().ok("posted");
    set(HOOK.0, HOOK.1);
    refuses_when_full(b, &|| b.ask(POST));
    set(HOOK.0, "");
    set("max_writes_per_minute", "2");
    b.post();
    b.post();
    let refused = b.ask(POST).run().no("channel_write_rate_exceeded");
    let wait: u64 = refused.detail("retry_after_ms#").parse().expect("a number");
    assert!((1..=60_000).contains(&wait), "{wait}");
}

#[test]
fn a_post_writes_the_message_the_index_and_one_deadline() {
    on_both(|b| {
        b.channel(&[]);
        let posted = b.ask(POST).with("metadata", "{\"a\":1.0}").run().ok("posted").woke(&["more"]);
        let (n, ms) = (START, START / 1000);
        assert_eq!((posted.int(0), posted.int(1)), (n, TTL * SECOND));
        let log = "h=bck_ooooooooooooooooaaaaaaaaaa\u{1f}act_ooooooooooooooooaaaaaaaaaa\u{1f}worker\u{1f}";
        for line in [
            format!("log stream expires\n  {n}-0 {log} c={CONTENT} m={{\"a\":1.0}}\n"),
            format!("open zset expires\n  0 -\n  {n} {n}\n"),
            "leases zset expires\n  inf -\n".to_owned(),
            "claims hash expires\n  - = \n".to_owned(),
        ] {
            assert!(posted.after.contains(&line), "no {line:?} in\n{}", posted.after);
        }
        assert_eq!(b.deadline(), ms + (TTL + RETENTION) * 1020 + 60_000);

        b.set("mode", "broadcast");
        b.post();
        assert_eq!(b.zset("open"), [n], "nothing of a broadcast channel is claimable");
    });
}

#[test]
fn a_short_message_comes_with_the_wake_up_where_somebody_listens() {
    on_both(|b| {
        b.channel(&[]);
        let listener = b.listener(&b.key("wake"));
        let posted = b.ask(POST).with("metadata", "{\"a\":1.0}").run().ok("posted");
        let carried: Vec<String> = serde_json::from_str(&posted.wakes[1]).expect("texts");
        let (first, head) = (posted.int(0).to_string(), carried[4].clone());
        assert_eq!((posted.wakes[0].as_str(), posted.wakes.len()), ("more", 2));
        assert_eq!(carried[..4], [first.clone(), "0".into(), b.run(&["HGET", &b.key("meta"), "rev"]), posted.int(1).to_string()]);
        assert_eq!((head.starts_with(OWNER), &carried[5..]), (true, &[CONTENT.to_owned(), "{\"a\":1.0}".into(), String::new()][..]));
        let second = b.ask(POST).run().ok("posted");
        assert!(second.wakes[1].contains(&format!("\"{first}\"")), "the number before it");
        // The one before it is what is there, not what was.
        b.ask("messages/retract").with("n", second.int(0)).run().ok("retracted");
        assert!(b.ask(POST).run().ok("posted").wakes[1].contains(&format!("\"{first}\"")));
        b.ask(POST).with("content", "x".repeat(4097)).run().ok("posted").woke(&["one"]);
        drop(listener);
    });
}

#[test]
fn numbers_are_unique_and_increase_when_the_clock_stands_still_or_goes_back() {
    on_both(|b| {
        b.channel(&[]);
        assert_eq!(b.post_many(3), [START, START + 1, START + 2]);
        b.at(START - 3600 * SECOND);
        assert_eq!(b.post(), START + 3);
        b.at(START + SECOND);
        assert_eq!(b.post(), START + SECOND);
    });
}

#[test]
fn a_log_that_is_gone_before_its_time_is_made_again_with_an_end() {
    on_both(|b| {
        b.channel(&[]);
        b.post();
        b.run::<()>(&["DEL", &b.key("log"), &b.key("open"), &b.key("claims"), &b.key("leases")]);
        let n = b.post(); // the runner looks for keys without an expiry, and for the placeholders
        assert_eq!((b.log(), b.zset("open")), (vec![n], vec![n]));
    });
}

#[test]
fn the_floor_lifts_a_number_by_a_minute_at_most() {
    on_both(|b| {
        b.channel(&[]);
        let post = |floor: u64| b.ask(POST).with("floor", floor).run().ok("posted").int(0);
        assert_eq!(post(START - 5), START);
        assert_eq!(post(START + 60 * SECOND), START + 60 * SECOND);
        b.pass(SECOND);
        assert_eq!(post(START + 3600 * SECOND), START + 61 * SECOND);
        assert_eq!(post(0), START + 61 * SECOND + 1);
    });
}

#[test]
fn the_deadline_is_renewed_only_when_it_moved_by_more_than_a_hundredth() {
    on_both(|b| {
        b.channel(&[("ttl", "86400"), ("retention", "864000")]);
        let first = {
            b.post();
            b.deadline()
        };
        let hundredth = (86_400 + 864_000) * SECOND / 100;
        // 2 % and a minute were added; while more than 1 % of that is left it stays.
        b.at(START + hundredth + 59 * SECOND);
        b.post();
        assert_eq!(b.deadline(), first);
        b.pass(2 * SECOND);
        b.post();
        assert_eq!(b.deadline(), b.now() / 1000 + (86_400 + 864_000) * 1020 + 60_000);
        b.claim(START, 5000);
    });
}

#[test]
fn what_is_emptied_or_made_again_dies_with_the_channel_too() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        // No message is open; the runner compares the deadline of each key.
        assert!(b.zset("open").is_empty());
        b.post();
        b.ask("messages/retract").with("n", b.now() + 1).run().ok("retracted");
        b.ask("claims/release").with("n", n).run().ok("released");
        b.ask("claims/next").run().ok("claimed");
    });
}

#[test]
fn a_post_that_trims_drops_64_messages_past_retention_with_all_that_belongs_to_them() {
    on_both(|b| {
        b.channel(&[("retention", "60")]);
        let old = b.post_many(100);
        for n in [old[0], old[1], old[63], old[64]] {
            b.ask("claims/claim").with("n", n).with("lease_ms", 3_600_000).quietly().run().ok("claimed");
        }
        b.ask("messages/retract").with("n", old[70]).quietly().run().ok("retracted");
        b.at(START + 10 * SECOND);
        let young = b.post();
        assert_eq!(young % 32, 0);
        // The youngest of the old ones is exactly at the end of its retention.
        b.at(old[99] + (TTL + 60) * SECOND);
        let at = b.now();
        let off = b.ask(POST).with("floor", at.next_multiple_of(32) + 1).run().ok("posted");
        assert_eq!((off.int(0) % 32, b.log().len()), (1, 101), "31 of 32 posts trim nothing");
        let floor = (off.int(0) + 1).next_multiple_of(32);
        b.ask(POST).with("floor", floor).run().ok("posted");
        assert_eq!(b.log()[0], old[64], "64 are dropped in one call");
        assert_eq!((b.claimed(), b.zset("leases")), (vec![old[64]], vec![old[64]]));
        b.ask(POST).with("floor", floor + 32).run().ok("posted");
        assert_eq!(b.log(), [young, off.int(0), floor, floor + 32], "nothing younger");
        assert!(b.claimed().is_empty() && b.zset("leases").is_empty());
    });
}

#[test]
fn a_post_that_trims_takes_what_expired_out_of_the_index_and_leaves_the_history() {
    on_both(|b| {
        b.channel(&[]);
        let old = b.post_many(70);
        let floor = (old[69] + TTL * SECOND).next_multiple_of(32);
        b.at(floor);
        b.post();
        assert_eq!(b.zset("open"), [&old[64..], &[floor]].concat());
        assert_eq!(b.log().len(), 71);
        b.pass(32);
        b.post();
        assert_eq!(b.zset("open"), [floor, floor + 32]);
        assert_eq!(b.ask("messages/history").with("limit", 100).run().ok("page").numbers(1).len(), 70);
    });
}

#[test]
fn a_full_ring_drops_its_oldest_held_ones_too() {
    on_both(|b| {
        b.channel(&[("max_messages", "3")]);
        let all = b.post_many(3);
        b.claim(all[0], 5000);
        let newest = b.post();
        assert_eq!((b.log(), b.claimed(), b.zset("leases")), (vec![all[1], all[2], newest], vec![], vec![]));
        b.ask("claims/ack").with("n", all[0]).run().no("message_not_found");
        // A ring made smaller is emptied by 64 a post.
        b.set("max_messages", "100");
        b.post_many(97);
        b.set("max_messages", "2");
        let newest = b.post();
        assert_eq!(b.log().len(), 37);
        b.post();
        assert_eq!((b.log(), b.zset("open")), (vec![newest, newest + 1], vec![newest, newest + 1]));
        // And a ring of one holds the newest.
        b.set("max_messages", "1");
        let newest = b.post();
        assert_eq!(b.log(), [newest]);
    });
}

#[test]
fn a_ring_that_is_not_full_drops_what_is_gone_like_every_channel() {
    on_both(|b| {
        b.channel(&[("max_messages", "100")]);
        let old = b.post_many(3);
        b.ask("messages/retract").with("n", old[1]).run().ok("retracted");
        b.at((old[2] + TTL * SECOND).next_multiple_of(32));
        let expired = b.post();
        assert_eq!((b.zset("open"), b.log()), (vec![expired], vec![old[0], old[2], expired]));
        b.at((old[2] + (TTL + RETENTION) * SECOND).next_multiple_of(32));
        let newest = b.post();
        assert_eq!(b.log(), [expired, newest]);
    });
}

#[test]
fn a_ring_larger_than_the_operators_cap_is_one_of_that_size() {
    on_both(|b| {
        b.channel(&[("max_messages", "5")]);
        let all: Vec<u64> = (0..5).map(|_| b.ask(POST).with("cap", 3).run().ok("posted").int(0)).collect();
        assert_eq!(b.log(), all[2..]);
    });
}

#[test]
fn a_large_channel_is_counted_when_a_post_has_found_it_nearly_full() {
    on_both(|b| {
        b.channel(&[]);
        let post = |past: u64| b.ask(POST).with("cap", 2001).with("floor", b.now().next_multiple_of(32) + past).quietly().run();
        post(0).ok("posted");
        let fill = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], 'NOMKSTREAM', ARGV[2] .. '-' .. i, 'h', '') end";
        let fill = |count: &str| b.run::<()>(&["EVAL", fill, "1", &b.key("log"), count, &b.now().to_string()]);
        let crowded = || b.run::<Option<String>>(&["HGET", &b.key("meta"), "crowded"]).is_some_and(|c| c == "1");
        b.pass(SECOND);
        fill("999");
        post(32).ok("posted");
        assert!(!crowded(), "1001 are a thousand short of it");
        b.pass(SECOND);
        post(32).ok("posted");
        assert!(crowded());
        b.pass(SECOND);
        fill("998");
        post(1).ok("posted");
        assert_eq!(post(2).no("quota_exceeded").detail("value#"), "2001");
        b.run::<()>(&["XTRIM", &b.key("log"), "MAXLEN", "1000"]);
        post(32).ok("posted");
        assert!(!crowded(), "and it is no longer when there is room again");
    });
}

#[test]
fn a_minute_of_writes_begins_with_its_first() {
    on_both(|b| {
        b.channel(&[("max_writes_per_minute", "2")]);
        let refused = |ms: &str| assert_eq!(b.ask(POST).run().no("channel_write_rate_exceeded").detail("retry_after_ms#"), ms);
        b.post();
        b.pass(59 * SECOND);
        b.post();
        refused("1000");
        b.pass(SECOND - 1);
        refused("1");
        b.pass(1);
        b.post();
        b.post();
        refused("60000");
        // A clock that was set back begins another one: nobody waits for the lost time.
        b.at(START);
        b.post();
        b.post();
        refused("60000");
    });
}

#[test]
fn at_the_operators_cap_a_post_first_drops_what_is_gone() {
    on_both(|b| {
        b.channel(&[]);
        b.post_many(2);
        let post = || b.ask(POST).with("cap", 2).run();
        post().no("quota_exceeded");
        b.at(START + (TTL + RETENTION) * SECOND);
        post().ok("posted");
        assert_eq!(b.log().len(), 2, "one was gone and one not yet");
        b.set("max_messages", "2");
        post().ok("posted");
    });
}

#[test]
fn a_channel_takes_so_many_bytes_and_a_ring_drops_its_oldest_for_more() {
    on_both(|b| {
        b.channel(&[]);
        let post = || b.ask(POST).with("content", "x".repeat(1000)).with("cap_bytes", 65_536).quietly().run();
        let posted = (0..1000).take_while(|_| post().word == "posted").count();
        assert!((40..70).contains(&posted), "{posted} kilobytes");
        assert_eq!((post().no("quota_exceeded").detail("value#"), b.log().len()), ("65536".to_owned(), posted));
        b.set("max_messages", "1000000");
        let newest = post().ok("posted").int(0);
        assert_eq!(b.log().last(), Some(&newest));
        assert!(b.log().len() < posted, "{} are left", b.log().len());
        for _ in 0..500 {
            post().ok("posted");
        }
        assert!(b.log().len() < 100, "{} are kept", b.log().len());
        b.set("max_messages", "");
        b.at(START + (TTL + RETENTION) * SECOND + 10_000);
        post().ok("posted");
    });
}

#[test]
fn bytes_are_looked_at_when_a_post_has_found_that_they_are_nearly_too_many() {
    on_both(|b| {
        b.channel(&[]);
        let crowded = || b.run::<Option<String>>(&["HGET", &b.key("meta"), "crowded"]).is_some_and(|c| c == "1");
        let post = |past: u64| {
            let floor = b.now().next_multiple_of(32) + past;
            let ask = b.ask(POST).with("content", "x".repeat(100_000)).with("cap", 5000).with("cap_bytes", 2_000_000).with("floor", floor);
            let answer = ask.quietly().run();
            b.pass(32);
            answer
        };
        for _ in 0..25 {
            post(1).ok("posted");
        }
        assert!(!crowded(), "31 of 32 do not look");
        post(0).ok("posted");
        assert!(crowded());
        assert_eq!(post(1).no("quota_exceeded").detail("limit"), "bytes_per_channel");
        b.run::<()>(&["XTRIM", &b.key("log"), "MAXLEN", "5"]);
        post(0).ok("posted");
        assert!(!crowded());
    });
}
