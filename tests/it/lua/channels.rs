//! lua/channels/create.lua, read.lua, update.lua, delete.lua

use crate::support::script::{Bench, OWNER, SECOND, START, STRANGER, TTL, on_both};

pub fn answers_create(b: &Bench) {
    let create = || b.ask("channels/create").rest("name", "tasks").rest("ttl", "300").rest("retention", "600");
    create().once("r").run().ok("created");
    assert_eq!(create().once("r").run().ok("replayed").wrote_nothing().int(0), 1);
    create().once("r").with("body", "another").run().no("idempotency_key_reused");
    create().run().ok("existing").wrote_nothing();
    create().once("r2").run().ok("existing");
    assert_eq!(create().once("r2").run().ok("replayed").wrote_nothing().int(0), 0);
    let refused = create().with("access", "restricted").run().no("channel_name_in_use");
    assert_eq!((refused.detail("mode").as_str(), refused.detail("access").as_str()), ("claimable", "open"));
    create().with("mode", "broadcast").run().no("channel_name_in_use");
    b.ask("channels/delete").run().ok("deleted");
    create().run().ok("gone").wrote_nothing();
    create().once("new").run().ok("gone").wrote_nothing();
    // A retry is answered as its first try was, though the channel is gone.
    assert_eq!(create().once("r").run().ok("replayed").wrote_nothing().int(0), 1);
    create().once("r").with("body", "another").run().no("idempotency_key_reused");
}

pub fn answers_read(b: &Bench) {
    b.ask("channels/read").run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask("channels/read").with("key", STRANGER).run().no("channel_access_denied");
    let fields = b.ask("channels/read").run().ok("channel").wrote_nothing().texts(0);
    assert!(fields.chunks(2).any(|f| f == ["owner", OWNER]), "{fields:?}");
}

pub fn answers_update(b: &Bench) {
    let update = || b.ask("channels/update").rest("description", "new");
    update().run().no("channel_not_found");
    b.channel(&[]);
    update().with("key", STRANGER).run().no("forbidden");
    update().with("key", STRANGER).with("for_members", "1").run().no("forbidden");
    b.pass(SECOND);
    let updated = update().once("r").run().ok("updated").woke(&[]).texts(0);
    assert!(updated.chunks(2).any(|f| f == ["description", "new"]), "{updated:?}");
    assert!(updated.chunks(2).any(|f| f == ["updated", &b.now().to_string()]), "{updated:?}");
    update().once("r").run().ok("replayed").wrote_nothing();
    update().once("r").with("body", "another").run().no("idempotency_key_reused");
    b.post();
    b.ask("channels/update").rest("mode", "broadcast").run().no("channel_not_empty");
    b.set("access", "restricted");
    update().with("key", STRANGER).run().no("channel_access_denied");
}

pub fn answers_delete(b: &Bench) {
    let delete = || b.ask("channels/delete");
    delete().run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    delete().with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    b.set("aliases", "one\u{1f}two\u{1f}");
    delete().with("key", STRANGER).run().no("forbidden");
    let deleted = delete().once("r").run().ok("deleted").woke(&["all"]);
    assert_eq!((deleted.text(0), deleted.text(1)), ("tasks".into(), "one\u{1f}two\u{1f}".into()));
    delete().once("r").run().ok("replayed").wrote_nothing();
    delete().once("r").with("body", "another").run().no("idempotency_key_reused");
    delete().run().no("channel_not_found");
}

#[test]
fn creation_writes_the_record_and_its_owner_as_a_member() {
    on_both(|b| {
        let made = b.ask("channels/create").rest("name", "tasks").rest("ttl", "300").rest("retention", "600").run().ok("created");
        let expected = format!(
            "{} hash kept\n  {OWNER} = {START}\u{1f}\n{} hash kept\n  access = open\n  created = {START}\n  deadline = 0\n  \
             mode = claimable\n  name = tasks\n  owner = {OWNER}\n  retention = 600\n  rev = 1\n  \
             settings = \\xa9claimable\\xc2\\xcd\\x01,\\xcd\\x02X\\x01\\x00\\xc2\\xc0\\xc0\\xc2\\xc0\\xc0\\xc2\\xc2\\xc0\n  ttl = 300\n  updated = {START}\n",
            b.key("members"),
            b.key("meta")
        );
        assert_eq!(made.after, expected);
        // Made again with other settings it keeps its own.
        b.ask("channels/create").rest("ttl", "9").run().ok("existing").wrote_nothing();
    });
}

#[test]
fn nothing_is_left_of_a_deleted_channel_but_that_it_was_and_the_answer_to_its_retry() {
    on_both(|b| {
        b.channel(&[("max_writes_per_minute", "10")]);
        let [n, held, acked] = [b.post(), b.post(), b.post()];
        b.claim(held, 5000);
        b.claim(acked, 0);
        b.ask("claims/ack").with("n", acked).with("secret", "").run().ok("acknowledged");
        b.ask("messages/retract").with("n", n).run().ok("retracted");
        let deleted = b.ask("channels/delete").once("r").run().ok("deleted");
        let body = "00112233445566778899aabbccddeeff";
        let expected = format!("{} string expires\n  1\n{} string expires\n  {body}\u{1f}1\n", b.key("gone"), b.key("idem:r"));
        assert_eq!(deleted.after, expected);
    });
}

#[test]
fn another_mode_needs_a_channel_without_live_messages_and_makes_waiters_ask_again() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        let rev = || b.run::<u64>(&["HGET", &b.key("meta"), "rev"]);
        let mode = |word: &str| b.ask("channels/update").rest("mode", word).run();
        mode("claimable").ok("updated").woke(&[]);
        b.at(n + TTL * SECOND - 1);
        mode("broadcast").no("channel_not_empty");
        b.pass(1);
        assert_eq!(rev(), 1);
        mode("broadcast").ok("updated").woke(&["all"]);
        assert_eq!(rev(), 2);
        b.ask("channels/update").rest("access", "restricted").run().ok("updated").woke(&["all"]);
        assert_eq!(rev(), 3);
    });
}

#[test]
fn another_retention_moves_the_deadline_of_all_that_is_there() {
    on_both(|b| {
        b.channel(&[]);
        let [n, _open] = [b.post(), b.post()];
        b.claim(n, 5000);
        let before = b.deadline();
        let retain = |seconds: u64| b.ask("channels/update").rest("retention", &seconds.to_string()).run().ok("updated");
        retain(86_400);
        assert!(b.deadline() > before + 80_000_000, "the runner compares each key with it");
        retain(60);
        assert_eq!(b.deadline(), (START + 1) / 1000 + (TTL + 60) * 1020 + 60_000 + 1, "rounded up");
        let again = b.deadline();
        retain(60);
        assert_eq!(b.deadline(), again);
    });
}

#[test]
fn another_retention_before_the_first_post_leaves_no_log_without_an_end() {
    on_both(|b| {
        b.channel(&[]);
        b.ask("channels/update").rest("retention", "700").run().ok("updated");
        b.post(); // the runner looks for keys without an expiry
    });
}

#[test]
fn another_retention_leaves_time_for_numbers_that_lie_ahead() {
    on_both(|b| {
        b.channel(&[]);
        let ahead = b.ask("messages/post").with("floor", START + 60 * SECOND).run().ok("posted").int(0);
        b.ask("channels/update").rest("retention", "60").run().ok("updated");
        assert_eq!(b.deadline(), ahead / 1000 + (TTL + 60) * 1020 + 60_000);
    });
}

#[test]
fn the_packed_settings_are_not_shown() {
    on_both(|b| {
        b.channel(&[]);
        let update = || b.ask("channels/update").rest("paused", "1").once("r").run();
        for shown in [b.ask("channels/read").run().ok("channel"), update().ok("updated"), update().ok("replayed")] {
            let fields = shown.texts(0);
            assert!(fields.chunks(2).all(|f| f[0] != "settings") && fields.len() >= 20, "{fields:?}");
        }
    });
}

#[test]
fn members_change_only_what_helps_them_work_together() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        b.ask("members/add").run().ok("added");
        let update = || b.ask("channels/update").with("key", STRANGER).rest("description", "ours");
        update().run().no("forbidden");
        update().with("for_members", "1").run().ok("updated");
    });
}

pub fn answers_end_after(b: &Bench) {
    let end = |key: &str| b.ask("channels/end_after").with("key", key).run();
    end(OWNER).no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    end(STRANGER).no("channel_access_denied");
    b.ask("members/add").run().ok("added");
    end(STRANGER).no("forbidden");
    end(OWNER).ok("ends");
    for key in ["meta", "members"] {
        let left: i64 = b.run(&["PTTL", &b.key(key)]);
        assert!((30_000..=60_000).contains(&left), "{key}: {left}");
    }
}
