//! What workers and hand-overs ask of a channel and a key: lua/webhooks/, but for the index

use deadpool_redis::redis::Value;

use crate::support::script::{ACTOR, Bench, CHANNEL, CONTENT, DELIVERY, OWNER, RETENTION, SECOND, START, STRANGER, TTL};

const URL: &str = "https://example.com/hook";

fn hooked(b: &Bench) {
    b.channel(&[("webhook_url", URL), ("webhook_secret", "s1")]);
}

/// What the outbox holds: the id of each entry.
fn outbox(b: &Bench) -> Vec<String> {
    let read = b.ask("webhooks/outbox_read").run().ok("page").wrote_nothing();
    read.list(0)
        .iter()
        .map(|entry| match entry {
            Value::Array(parts) => backchannel::store::reply::text_of(&parts[0]).expect("an id"),
            other => panic!("{other:?}"),
        })
        .collect()
}

pub fn answers_outbox_read(b: &Bench) {
    b.ask("webhooks/outbox_read").run().no("channel_not_found");
    hooked(b);
    assert!(outbox(b).is_empty());
    b.post_many(3);
    assert_eq!(outbox(b).len(), 3);
    assert_eq!(b.ask("webhooks/outbox_read").with("limit", 2).run().ok("page").list(0).len(), 2);
    b.ask("webhooks/disable").run().ok("disabled");
    let ids = outbox(b);
    assert_eq!(ids.len(), 3, "what is there is there");
    b.ask("webhooks/outbox_done").with("last", &ids[2]).run().ok("done");
    b.ask("webhooks/outbox_read").run().ok("idle").wrote_nothing();
}

pub fn answers_outbox_done(b: &Bench) {
    hooked(b);
    b.post_many(150);
    let ids: Vec<String> =
        b.run::<Vec<(String, Vec<String>)>>(&["XRANGE", &b.key("outbox"), "-", "+"]).into_iter().map(|(id, _)| id).collect();
    let done = |n: usize| b.ask("webhooks/outbox_done").with("last", &ids[n]).run();
    assert_eq!(done(1).ok("done").int(0), 2);
    assert_eq!(done(127).ok("done").int(0), 126);
    assert_eq!(outbox(b), ids[128..].to_vec());
    // Who was slower than another took nothing more out.
    done(127).ok("gone").wrote_nothing();
    // After a failover that lost it, what is there is not what was read, though its ids may be lower: it stays.
    b.run::<u64>(&["XDEL", &b.key("outbox"), &ids[140]]);
    done(140).ok("gone").wrote_nothing();
    assert_eq!(done(149).ok("done").int(0), 21);
    assert!(outbox(b).is_empty());
}

pub fn answers_sweep_page(b: &Bench) {
    let page =
        |worker: &str, from: u64| b.ask("webhooks/sweep_page").with("worker", worker).with("lease_ms", 30_000).with("from", from).run();
    b.ask("webhooks/index_enter").run().ok("entered");
    b.ask("webhooks/index_enter").with("id", "ch_bbbbbbbbbbbbbbbbbbbb").run().ok("entered");
    assert_eq!(page("w-1", 0).ok("page").texts(0), [CHANNEL, &START.to_string(), "ch_bbbbbbbbbbbbbbbbbbbb", &START.to_string()]);
    assert_eq!(page("w-1", 1).ok("page").texts(0).len(), 2);
    page("w-2", 0).ok("taken").wrote_nothing();
}

pub fn answers_sweep_leave(b: &Bench) {
    b.ask("webhooks/index_enter").run().ok("entered");
    let leave = |score: u64| b.ask("webhooks/sweep_leave").with("score", score).run();
    b.pass(SECOND);
    b.ask("webhooks/index_enter").run().ok("entered");
    leave(START).ok("kept").wrote_nothing();
    assert_eq!(leave(START + SECOND).ok("left").after, "");
    leave(START + SECOND).ok("kept").wrote_nothing();
}

pub fn answers_load(b: &Bench) {
    let load = || b.ask("webhooks/load").with("reader", "");
    load().run().no("channel_not_found");
    b.channel(&[("webhook_url", URL), ("webhook_secret", "s1"), ("access", "restricted")]);
    let loaded = load().run().ok("loaded").wrote_nothing();
    assert_eq!([loaded.text(0), loaded.text(1), loaded.text(2)], [URL, "s1", OWNER]);
    assert_eq!((loaded.int(3), loaded.len()), (TTL * SECOND, 5));
    // Expired, a message is still told; past its retention it is not.
    assert_eq!(loaded.int(4), START - (TTL + RETENTION) * SECOND);
    b.pass(SECOND);
    assert_eq!(load().run().ok("loaded").int(4), START - (TTL + RETENTION - 1) * SECOND);
    load().with("reader", OWNER).run().ok("loaded");
    load().with("reader", STRANGER).run().ok("stranger").wrote_nothing();
}

pub fn answers_push_once(b: &Bench) {
    let push = |delivery: &str| b.ask("webhooks/push_once").on("pushed", ACTOR).with("delivery", delivery).run();
    push(DELIVERY).ok("first");
    push(DELIVERY).ok("again").wrote_nothing();
    push("dlv_2").ok("muted").wrote_nothing();
    assert!((30_000..=60_000).contains(&b.run::<i64>(&["PTTL", &b.key(&format!("pushed:{ACTOR}"))])));
}

fn with_hook(b: &Bench) -> String {
    b.active_key();
    b.ask("actors/register").run().ok("created");
    b.ask("actors/hook_set").with("secret", "s1").run().ok("set");
    format!("{URL}\u{1f}s1\u{1f}{START}")
}

pub fn answers_actor_hook(b: &Bench) {
    let read = || b.ask("webhooks/actor_hook").run();
    read().ok("none").wrote_nothing();
    let hook = with_hook(b);
    let found = read().ok("hook").wrote_nothing();
    assert!(found.text(0).contains(OWNER) && !found.text(0).contains(CONTENT));
    assert_eq!(found.text(1), hook);
    b.run::<()>(&["HDEL", &b.key_of_owner("book"), ACTOR]);
    read().ok("none");
}

pub fn answers_key_is_active(b: &Bench) {
    let ask = || b.ask("webhooks/key_is_active").run();
    ask().ok("revoked").wrote_nothing();
    b.active_key();
    ask().ok("active").wrote_nothing();
}

pub fn answers_disable(b: &Bench) {
    let disable = |url: &str| b.ask("webhooks/disable").with("url", url).run();
    disable(URL).no("channel_not_found");
    hooked(b);
    disable("https://example.com/other").ok("changed").wrote_nothing();
    let after = disable(URL).ok("disabled").after;
    assert!(!after.contains("webhook_url") && !after.contains("s1") && after.contains("webhook_disabled"), "{after}");
    b.post();
    b.ask("webhooks/outbox_read").run().ok("idle");
}

pub fn answers_disable_actor(b: &Bench) {
    let hook = with_hook(b);
    b.ask("webhooks/disable_actor").with("hook", "another").run().ok("changed").wrote_nothing();
    assert!(!b.ask("webhooks/disable_actor").with("hook", &hook).run().ok("disabled").after.contains(":hooks"));
    b.ask("webhooks/disable_actor").with("hook", &hook).run().ok("changed").wrote_nothing();
}

pub fn answers_owner(b: &Bench) {
    let ask = || b.ask("webhooks/owner");
    ask().run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    ask().run().ok("owner").wrote_nothing();
    ask().with("needed", "1").run().no("webhook_not_found");
    ask().with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    ask().with("key", STRANGER).run().no("forbidden");
    b.set("webhook_url", URL);
    ask().with("needed", "1").run().ok("owner");
}
