//! lua/sandbox/*.lua

use crate::support::script::{Ask, Bench, CHANNEL, OWNER, SECOND, STRANGER, on_both};

fn owner(b: &Bench) -> Ask<'_> {
    b.ask("sandbox/owner").with("name", "sandbox")
}

fn channel(b: &Bench) -> Ask<'_> {
    b.ask("sandbox/channel")
        .with("name", "sandbox")
        .with("alias", "sandbox")
        .with("ttl_s", 600)
        .with("retention_s", 86_400)
        .with("writes", 60)
}

fn turn<'a>(b: &'a Bench, worker: &str) -> Ask<'a> {
    b.ask("sandbox/turn").with("worker", worker).with("lease_ms", 60_000).with("quiet_ms", 60_000)
}

fn field(b: &Bench, key: &str, name: &str) -> Option<String> {
    b.run(&["HGET", key, name])
}

pub fn answers_owner(b: &Bench) {
    owner(b).run().ok("made");
    owner(b).run().ok("there").wrote_nothing();
    let other = owner(b).with("key", STRANGER).run().no("label_in_use");
    assert_eq!(other.detail("key_id"), OWNER);
    b.ask("api_keys/create").with("key", STRANGER).run().no("label_in_use");
    // No digest is the one that is kept.
    b.ask("api_keys/look").with("digest", "").run().no("unauthorized");
    assert_eq!(field(b, &b.key_of_owner(&format!("key:{OWNER}")), "digest"), Some("-".into()));
    assert_eq!(field(b, &b.key_of_owner(&format!("channels:{OWNER}")), "sandbox"), Some(CHANNEL.into()));
}

pub fn answers_channel(b: &Bench) {
    channel(b).run().ok("made");
    let of = |name: &str| field(b, &b.key("meta"), name).unwrap_or_default();
    let all = ["mode", "access", "owner", "aliases", "discoverable", "ttl", "max_messages", "max_writes_per_minute"].map(of);
    assert_eq!(all, ["broadcast", "open", OWNER, "sandbox\u{1f}", "1", "600", "1000", "60"]);
    b.post();
    let before = b.deadline();
    b.set("paused", "1");
    channel(b).with("most", 5).with("writes", 6).with("ttl_s", 7200).run().ok("there");
    assert_eq!(["ttl", "max_messages", "max_writes_per_minute", "paused"].map(of), ["7200", "5", "6", "1"], "the limits anew, paused kept");
    assert!(b.deadline() > before + 6_000_000, "what is in it lives longer now");
}

pub fn answers_turn(b: &Bench) {
    turn(b, "one").run().no("channel_not_found");
    channel(b).run().ok("made");
    let first = turn(b, "one").run().ok("mine");
    assert_eq!((first.int(0), first.int(1)), (0, 0), "nothing was ever posted: one is due");
    assert!((30_000..=60_000).contains(&turn(b, "two").run().ok("theirs").wrote_nothing().int(0)), "the rest of the lease");
    let posted = b.post();
    b.pass(59 * SECOND);
    let mine = turn(b, "one").run().ok("mine");
    assert_eq!((mine.int(0), mine.int(1)), (posted, 1000));
    b.pass(SECOND);
    assert_eq!(turn(b, "one").run().ok("mine").int(1), 0);
    b.set("paused", "1");
    turn(b, "one").run().ok("paused");
}

#[test]
fn a_key_of_the_sandbox_that_was_revoked_is_made_anew_without_an_end() {
    on_both(|b| {
        owner(b).run().ok("made");
        b.ask("api_keys/revoke").run().ok("revoked");
        let record = b.key_of_owner(&format!("key:{OWNER}"));
        assert!(b.run::<i64>(&["TTL", &record]) > 0);
        owner(b).run().ok("made");
        assert_eq!((b.run::<i64>(&["TTL", &record]), field(b, &record, "active")), (-1, Some("1".into())));
    });
}

#[test]
fn a_sandbox_that_was_deleted_comes_back_under_its_id() {
    on_both(|b| {
        channel(b).run().ok("made");
        b.ask("channels/delete").run().ok("deleted");
        channel(b).run().ok("made");
        assert_eq!(b.run::<u8>(&["EXISTS", &b.key("gone")]), 0);
        b.post();
    });
}
