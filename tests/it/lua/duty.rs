//! lua/duty/

use crate::support::script::{Ask, Bench, on_both};

/// Redis' own clock ends it: longer than any break of the test.
const LEASE_MS: u64 = 60_000;

fn take<'a>(b: &'a Bench, worker: &str, lease_ms: u64) -> Ask<'a> {
    b.ask("duty/take").with("worker", worker).with("lease_ms", lease_ms)
}

fn file<'a>(b: &'a Bench, worker: &str) -> Ask<'a> {
    b.ask("duty/file").with("worker", worker)
}

pub fn answers_take(b: &Bench) {
    take(b, "one", LEASE_MS).run().ok("mine");
    assert!((30_000..=LEASE_MS).contains(&take(b, "two", LEASE_MS).run().ok("theirs").wrote_nothing().int(0)), "the rest of the lease");
    take(b, "two", 0).run().ok("left").wrote_nothing();
    take(b, "one", 2 * LEASE_MS).run().ok("mine");
    assert!(take(b, "two", LEASE_MS).run().ok("theirs").int(0) > LEASE_MS, "who has it extends it");
    take(b, "one", 0).run().ok("left");
    take(b, "two", LEASE_MS).run().ok("mine");
}

pub fn answers_file(b: &Bench) {
    file(b, "one").rest("channels", "7").run().ok("theirs").wrote_nothing();
    take(b, "one", LEASE_MS).run().ok("mine");
    file(b, "one").rest("channels", "7").rest("open_messages", "2").run().ok("filed");
    take(b, "one", 0).run().ok("left");
    take(b, "two", LEASE_MS).run().ok("mine");
    file(b, "one").rest("channels", "8").run().ok("theirs").wrote_nothing();
    file(b, "two").with("at", "queues_at").rest("queue_depth", "3").run().ok("filed");
    let expires: i64 = b.run(&["PTTL", &b.key_like("findings")]);
    assert!((1..=60_000).contains(&expires), "{expires}");
}

pub fn answers_findings(b: &Bench) {
    assert!(b.ask("duty/findings").run().ok("findings").texts(0).is_empty());
    take(b, "one", LEASE_MS).run().ok("mine");
    file(b, "one").rest("channels", "7").run().ok("filed");
    file(b, "one").with("at", "queues_at").rest("queue_depth", "3").run().ok("filed");
    let found = b.ask("duty/findings").run().ok("findings").texts(0);
    let mut found: Vec<_> = found.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    found.sort();
    let now = b.now().to_string();
    let expected = [("channels", "7"), ("queue_depth", "3"), ("queues_at", now.as_str()), ("surveyed_at", now.as_str())];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_lease_that_has_run_out_is_anybodys() {
    on_both(|b| {
        take(b, "one", LEASE_MS).run().ok("mine");
        b.run::<()>(&["PEXPIRE", &b.key_like("holder"), "0"]);
        file(b, "one").rest("channels", "7").run().ok("theirs");
        take(b, "two", LEASE_MS).run().ok("mine");
        take(b, "one", LEASE_MS).run().ok("theirs");
    });
}
