//! Webhooks and outboxes: lua/actors/hook_set.lua, hook_read.lua, hook_delete.lua, lua/webhooks/, and what posts and new members leave in `outbox`

use crate::support::script::{ACTOR, Ask, Bench, CHANNEL, OTHER_ACTOR, OWNER, SECOND, START, STRANGER, on_both};

const POST: &str = "messages/post";
pub const HOOK: (&str, &str) = ("webhook_url", "https://example.com/hook");

fn with_actor(b: &Bench) {
    b.active_key();
    b.ask("actors/register").run().ok("created");
}

pub fn answers_hook_set(b: &Bench) {
    let set = || b.ask("actors/hook_set");
    set().run().no("actor_not_found");
    with_actor(b);
    set().with("key", STRANGER).run().no("actor_forbidden");
    assert_eq!(set().once("r").with("secret", "s\u{1f}1").run().ok("set").int(0), START);
    assert_eq!(b.run::<String>(&["HGET", &b.key_of_owner("hooks"), ACTOR]), format!("https://example.com/hook\u{1f}s\u{1f}1\u{1f}{START}"));
    b.pass(SECOND);
    assert_eq!(set().once("r").with("secret", "s\u{1f}1").run().ok("replayed").wrote_nothing().int(0), START);
    set().once("r").with("body", "another").run().no("idempotency_key_reused");
    assert!(!b.run::<String>(&["GET", &b.key_of_owner("idem:r")]).contains("example"), "facts only");
}

pub fn answers_hook_read(b: &Bench) {
    let read = || b.ask("actors/hook_read");
    read().run().no("actor_not_found");
    with_actor(b);
    read().run().no("webhook_not_found");
    b.ask("actors/hook_set").with("secret", "s1").run().ok("set");
    read().with("key", STRANGER).run().no("actor_forbidden");
    assert_eq!(read().run().ok("hook").wrote_nothing().text(0), format!("https://example.com/hook\u{1f}s1\u{1f}{START}"));
}

pub fn answers_hook_delete(b: &Bench) {
    let delete = || b.ask("actors/hook_delete");
    delete().run().no("actor_not_found");
    with_actor(b);
    delete().run().no("webhook_not_found");
    b.ask("actors/hook_set").run().ok("set");
    delete().with("key", STRANGER).run().no("actor_forbidden");
    assert!(!delete().once("r").run().ok("deleted").after.contains(":hooks"));
    delete().once("r").run().ok("replayed").wrote_nothing();
    delete().once("r").with("body", "another").run().no("idempotency_key_reused");
    delete().run().no("webhook_not_found");
}

pub fn answers_index_enter(b: &Bench) {
    b.ask("webhooks/index_enter").run().ok("entered");
    b.pass(SECOND);
    // Again counts from now: who takes out what is old must leave it.
    let entered = b.ask("webhooks/index_enter").run().ok("entered");
    assert!(entered.after.ends_with(&format!(":index zset kept\n  {} {CHANNEL}\n", START + SECOND)), "{}", entered.after);
}

pub fn answers_index_drop(b: &Bench) {
    b.ask("webhooks/index_drop").run().ok("dropped").wrote_nothing();
    b.ask("webhooks/index_enter").run().ok("entered");
    b.ask("webhooks/index_drop").with("id", "ch_bbbbbbbbbbbbbbbbbbbb").run().ok("dropped").wrote_nothing();
    assert_eq!(b.ask("webhooks/index_drop").run().ok("dropped").after, "");
}

/// The outbox: each entry as `event number actor subject`.
fn outbox(b: &Bench) -> Vec<String> {
    let entries: Vec<(String, Vec<String>)> = b.run(&["XRANGE", &b.key("outbox"), "-", "+"]);
    entries
        .into_iter()
        .map(|(_, fields)| {
            assert_eq!((fields.len(), fields[0].as_str()), (2, "e"));
            fields[1].splitn(4, '\u{1f}').collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn mention(id: &str, key: &str, has_webhook: bool) -> String {
    format!("{id}\u{1f}name of {id}\u{1f}{key}\u{1f}{}\u{1f}", if has_webhook { "1" } else { "" })
}

#[test]
fn a_post_leaves_in_the_outbox_what_is_wanted_and_nothing_else() {
    on_both(|b| {
        b.channel(&[]);
        let plain = b.ask(POST).run().ok("posted");
        assert!(!plain.after.contains(":outbox"), "{}", plain.after);
        let posted = b.ask(POST).with("mentions", mention(ACTOR, OWNER, false)).run().ok("posted");
        assert_eq!((posted.text(3), posted.int(2)), (format!("{ACTOR}\u{1f}name of {ACTOR}\u{1f}"), 0));
        assert!(!posted.after.contains(":outbox"), "{}", posted.after);
        let both = mention(ACTOR, OWNER, true) + &mention(OTHER_ACTOR, STRANGER, false);
        let posted = b.ask(POST).with("mentions", &both).run().ok("posted");
        assert_eq!(posted.int(2), 1);
        assert_eq!(outbox(b), [format!("mention {} {ACTOR} ", posted.int(0))]);

        b.run::<()>(&["DEL", &b.key("outbox")]);
        b.set(HOOK.0, HOOK.1);
        let posted = b.ask(POST).with("mentions", &both).run().ok("posted");
        let n = posted.int(0);
        assert_eq!(outbox(b), [format!("message.created {n}  "), format!("mention {n} {ACTOR} ")]);
        let posted = b.ask(POST).run().ok("posted");
        assert_eq!((posted.int(2), outbox(b).len()), (1, 3));
        b.set(HOOK.0, "");
        b.ask(POST).run().ok("posted");
        assert_eq!(outbox(b).len(), 3, "nothing is pushed any more");
    });
}

#[test]
fn a_replayed_post_tells_the_same_and_leaves_nothing_in_the_outbox() {
    on_both(|b| {
        b.channel(&[HOOK, ("access", "restricted")]);
        let post = |mentions: String| b.ask(POST).with("mentions", mentions).once("r");
        let both = || mention(OTHER_ACTOR, STRANGER, true) + &mention(ACTOR, OWNER, true);
        let first = post(both()).run().ok("posted");
        assert_eq!(first.text(3), format!("{ACTOR}\u{1f}name of {ACTOR}\u{1f}"), "a stranger is not mentioned");
        assert_eq!(outbox(b).len(), 2);
        // Whoever may read it by now, or is gone by now: the message stays what it was.
        b.ask("members/add").run().ok("added");
        for now in [both(), mention(OTHER_ACTOR, STRANGER, true), "-".into()] {
            let replayed = post(now).run().ok("replayed").wrote_nothing();
            assert_eq!((replayed.int(0), replayed.text(3), replayed.int(2)), (first.int(0), first.text(3), 0));
        }
        b.ask("messages/retract").with("n", first.int(0)).run().ok("retracted");
        assert_eq!(post(both()).run().ok("replayed").wrote_nothing().text(3), "", "nothing of it is kept");
    });
}

#[test]
fn who_may_not_read_a_restricted_channel_is_not_mentioned() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        let post = || b.ask(POST).with("mentions", mention(OTHER_ACTOR, STRANGER, true)).run().ok("posted");
        assert_eq!((post().int(0), b.run::<bool>(&["EXISTS", &b.key("outbox")])), (START, false));
        b.ask("members/add").run().ok("added");
        let posted = post();
        assert_eq!(posted.text(3), format!("{OTHER_ACTOR}\u{1f}name of {OTHER_ACTOR}\u{1f}"));
        assert_eq!(outbox(b), [format!("mention {} {OTHER_ACTOR} ", posted.int(0))]);
        b.ask("members/remove").run().ok("removed");
        post();
        assert_eq!(outbox(b).len(), 1);
        // None of those named is known.
        b.ask(POST).with("mentions", "-").run().ok("posted");
        assert_eq!(outbox(b).len(), 1);
        b.set("access", "open");
        post();
        assert_eq!(outbox(b).len(), 2, "anybody may read it");
    });
}

#[test]
fn mentions_stand_in_the_message_also_where_its_number_was_taken() {
    on_both(|b| {
        b.channel(&[]);
        let post = || b.ask(POST).with("mentions", mention(ACTOR, OWNER, true)).run().ok("posted");
        let first = post();
        let second = post();
        assert_eq!(second.int(0), first.int(0) + 1);
        for posted in [&first, &second] {
            let line = format!("t={ACTOR}\u{1f}name of {ACTOR}\u{1f}\n");
            assert!(posted.after.contains(&line), "no {line:?} in\n{}", posted.after);
        }
        assert_eq!(outbox(b), [format!("mention {} {ACTOR} ", first.int(0)), format!("mention {} {ACTOR} ", second.int(0))]);
    });
}

#[test]
fn new_members_of_a_channel_with_a_webhook_are_told_of_once() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        let added = b.ask("members/add").run().ok("added");
        assert_eq!((added.int(2), added.after.contains(":outbox")), (0, false));
        b.ask("members/remove").run().ok("removed");
        b.set(HOOK.0, HOOK.1);
        assert_eq!(b.ask("members/add").once("r").run().ok("added").int(2), 1);
        assert_eq!(outbox(b), [format!("member_added   {STRANGER}\u{1f}{OWNER}")]);
        assert_eq!(b.ask("members/add").once("r").run().ok("replayed").wrote_nothing().int(2), 0);
        assert_eq!(b.ask("members/add").run().ok("added").wrote_nothing().int(2), 0);
        b.ask("members/remove").run().ok("removed");

        b.run::<()>(&["DEL", &b.key("outbox")]);
        b.ask("access_requests/request").by(STRANGER).run().ok("pending");
        assert_eq!(b.ask("access_requests/approve").once("a").run().ok("approved").int(0), 1);
        assert_eq!(b.ask("access_requests/approve").once("a").run().ok("replayed").wrote_nothing().int(0), 0);
        assert_eq!(outbox(b), [format!("member_added   {STRANGER}\u{1f}{OWNER}")]);
    });
}

#[test]
fn an_outbox_lives_as_long_as_its_channel_and_an_empty_one_for_a_day() {
    on_both(|b| {
        b.channel(&[HOOK]);
        let left = || b.run::<i64>(&["PTTL", &b.key("outbox")]);
        let empty = || {
            let entries: Vec<(String, Vec<String>)> = b.run(&["XRANGE", &b.key("outbox"), "-", "+"]);
            let last = &entries.last().expect("it holds something").0;
            assert_eq!(b.ask("webhooks/outbox_done").with("last", last).run().ok("done").int(0), entries.len() as u64);
        };
        b.post();
        assert_eq!(left(), -1, "nobody has fetched it");
        b.post();
        empty();
        assert!((86_300_000..=86_400_000).contains(&left()), "{}", left());
        b.post();
        assert_eq!(left(), -1, "it holds something again");

        // A channel that ends by itself takes it along, also where it was begun afterwards.
        b.ask("channels/end_after").with("life_ms", 50_000).run().ok("ends");
        assert!((10_000..=50_000).contains(&left()), "{}", left());
        empty();
        b.ask("members/add").run().ok("added");
        assert!((10_000..=50_000).contains(&left()), "{}", left());
        let deleted = b.ask("channels/delete").run().ok("deleted");
        assert!(!deleted.after.contains(":outbox"), "{}", deleted.after);
    });
}

/// What the outbox takes.
const ROOM: usize = 100_000;

/// Fills the outbox up to so many entries.
fn fill(b: &Bench, length: usize) {
    let filling = "for _ = redis.call('XLEN', KEYS[1]) + 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'e', 'x') end";
    b.run::<()>(&["EVAL", filling, "1", &b.key("outbox"), &length.to_string()]);
}

fn waiting(b: &Bench) -> usize {
    b.run(&["XLEN", &b.key("outbox")])
}

/// Asked so, a script refuses while the outbox is full, and writes nothing.
pub fn refuses_when_full<'a>(b: &'a Bench, ask: &dyn Fn() -> Ask<'a>) {
    b.run::<()>(&["DEL", &b.key("outbox")]);
    let before = b.dump();
    fill(b, ROOM);
    assert_eq!(ask().quietly().run().no("webhook_backlog_full").detail("retry_after_ms#"), "30000");
    assert_eq!(waiting(b), ROOM);
    b.run::<()>(&["DEL", &b.key("outbox")]);
    assert_eq!(b.dump(), before, "nothing was written");
}

#[test]
fn a_full_outbox_drops_nothing_and_refuses_only_what_would_be_pushed() {
    on_both(|b| {
        b.channel(&[HOOK]);
        let post = |mentions: String| b.ask(POST).with("mentions", mentions).quietly().run();
        let first = b.ask(POST).once("r").quietly().run().ok("posted").int(0);
        fill(b, ROOM - 1);
        post(mention(ACTOR, OWNER, true)).ok("posted");
        assert_eq!(waiting(b), ROOM + 1, "all of one message or nothing");
        post(String::new()).no("webhook_backlog_full");
        assert_eq!(b.ask(POST).once("r").quietly().run().ok("replayed").int(0), first, "what was posted was posted");
        let oldest: Vec<(String, Vec<String>)> = b.run(&["XRANGE", &b.key("outbox"), "-", "+", "COUNT", "1"]);
        assert!(oldest[0].1[1].contains(&first.to_string()), "the oldest is still there");

        b.set(HOOK.0, "");
        post(String::new()).ok("posted");
        post(mention(ACTOR, OWNER, false)).ok("posted");
        post(mention(ACTOR, OWNER, true)).no("webhook_backlog_full");
        b.ask("members/add").quietly().run().ok("added");
        assert_eq!(waiting(b), ROOM + 1);
        b.run::<()>(&["XTRIM", &b.key("outbox"), "MAXLEN", &(ROOM - 1).to_string()]);
        post(mention(ACTOR, OWNER, true)).ok("posted");
    });
}

#[test]
fn the_webhook_of_a_channel_counts_from_its_creation_and_with_each_change() {
    on_both(|b| {
        b.channel(&[HOOK]);
        b.post();
        assert_eq!(outbox(b).len(), 1);
        b.ask("channels/update").rest(HOOK.0, "").run().ok("updated");
        b.post();
        assert_eq!(outbox(b).len(), 1);
        b.ask("channels/update").rest(HOOK.0, HOOK.1).run().ok("updated");
        b.post();
        assert_eq!(outbox(b).len(), 2);
        // An older release packs the settings without it.
        let older = "local s = {cmsgpack.unpack(redis.call('HGET', KEYS[1], 'settings'))}
            redis.call('HSET', KEYS[1], 'settings', cmsgpack.pack(unpack(s, 1, 10)))";
        b.run::<()>(&["EVAL", older, "1", &b.key("meta")]);
        b.ask(POST).quietly().run().ok("posted");
        assert_eq!(outbox(b).len(), 3);
    });
}

#[test]
fn a_revoked_key_leaves_neither_webhooks_nor_aliases_of_its_actors() {
    on_both(|b| {
        with_actor(b);
        b.ask("actors/register").with("name", "second").with("id", OTHER_ACTOR).run().ok("created");
        let third = "act_oooooooooooooooocccccccccc";
        b.ask("actors/register").with("name", "third").with("id", third).run().ok("created");
        for (id, alias) in [(ACTOR, "a"), (ACTOR, "b"), (OTHER_ACTOR, "c")] {
            b.ask("actors/alias_add").with("id", id).with("alias", alias).run().ok("added");
            b.ask("actors/hook_set").with("id", id).run().ok("set");
        }
        // Another key of the same slot keeps its own.
        b.run::<()>(&["HSET", &b.key_of_owner("book"), "act_of_another", &format!("x\u{1f}{STRANGER}\u{1f}me\u{1f}1\u{1f}\u{1f}")]);
        b.ask("actors/hook_set").with("id", "act_of_another").with("key", STRANGER).run().ok("set");
        let revoked = b.ask("api_keys/revoke").run().ok("revoked");
        let mut freed = [(revoked.text(1), revoked.text(2)), (revoked.text(3), revoked.text(4))];
        freed.sort();
        assert_eq!(freed, [(ACTOR.into(), "a\u{1f}b\u{1f}".into()), (OTHER_ACTOR.into(), "c\u{1f}".into())]);
        assert!(!revoked.after.contains(":nicknames"), "{}", revoked.after);
        assert_eq!(b.run::<Vec<String>>(&["HKEYS", &b.key_of_owner("hooks")]), ["act_of_another"]);
        assert_eq!(b.run::<Vec<String>>(&["HKEYS", &b.key_of_owner("book")]), ["act_of_another"]);
    });
}
