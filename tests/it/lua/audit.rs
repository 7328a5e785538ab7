//! lua/audit/*.lua and lua/lib/audit.lua

use deadpool_redis::redis::Value;

use crate::support::answer::{Answer, number_of};
use crate::support::script::{Bench, OWNER, SECOND, START, on_both};

/// Numbers and ids of the events of an answer.
fn shown(answer: &Answer) -> Vec<(u64, String)> {
    let id = |entry: &Value| match entry {
        Value::Array(parts) => match &parts[1] {
            Value::Array(fields) => backchannel::store::reply::text_of(&fields[1]).expect("a text"),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    answer.list(0).iter().map(|entry| (number_of(entry), id(entry))).collect()
}

fn of_key(b: &Bench) -> Vec<(u64, String)> {
    shown(&b.ask("audit/list").run().ok("events").wrote_nothing())
}

fn of_all(b: &Bench, before: u64, limit: u64) -> Vec<(u64, String)> {
    shown(&b.ask("audit/list_all").with("before", before).with("limit", limit).run().ok("events").wrote_nothing())
}

fn event(n: u64, id: &str) -> (u64, String) {
    (n, id.to_owned())
}

pub fn answers_note(b: &Bench) {
    b.ask("audit/note").run().ok("noted");
    b.ask("audit/note").run().ok("noted").wrote_nothing();
    b.ask("audit/note").with("event_id", "evt_2").run().ok("noted");
    assert_eq!(of_key(b), [event(START + 1, "evt_2"), event(START, "evt_1")]);
    b.at(START - SECOND);
    b.ask("audit/note").with("event_id", "evt_3").run().ok("noted");
    assert_eq!(of_key(b)[0], event(START + 2, "evt_3"), "in order also when the clock goes back");
}

pub fn answers_file(b: &Bench) {
    b.ask("audit/file").run().ok("filed");
    b.ask("audit/file").run().ok("filed").wrote_nothing();
    assert_eq!(of_all(b, 0, 5), [event(START, "evt_1")]);
}

pub fn answers_list(b: &Bench) {
    assert_eq!(of_key(b), []);
    for id in ["evt_1", "evt_2", "evt_3"] {
        b.ask("audit/note").with("event_id", id).run().ok("noted");
    }
    assert_eq!(shown(&b.ask("audit/list").with("limit", 2).run().ok("events")), [event(START + 2, "evt_3"), event(START + 1, "evt_2")]);
    b.pass(60 * SECOND + 1);
    assert_eq!(of_key(b), [event(START + 2, "evt_3"), event(START + 1, "evt_2")], "what is older than it is kept is not shown");
}

pub fn answers_list_all(b: &Bench) {
    assert_eq!(of_all(b, 0, 5), []);
    for id in ["evt_1", "evt_2", "evt_3"] {
        b.ask("audit/file").with("event_id", id).run().ok("filed");
    }
    assert_eq!(of_all(b, 0, 2), [event(START + 2, "evt_3"), event(START + 1, "evt_2")]);
    assert_eq!(of_all(b, START + 1, 2), [event(START, "evt_1")]);
    assert_eq!(of_all(b, START, 2), []);
    b.pass(61 * SECOND);
    assert_eq!(of_all(b, 0, 2), []);
}

#[test]
fn an_audit_holds_so_many_events_and_vanishes_when_it_has_none_for_long() {
    on_both(|b| {
        for n in 0..20 {
            b.ask("audit/note").with("event_id", format!("evt_{n}")).with("keep", 7).run().ok("noted");
        }
        let all = of_key(b);
        assert_eq!((all.len(), &all[0].1, &all[6].1), (7, &"evt_19".to_owned(), &"evt_13".to_owned()));
        let ttl: i64 = b.run(&["PTTL", &b.key_of_owner(&format!("audit:{OWNER}"))]);
        assert!((30_000..=60_000).contains(&ttl), "{ttl}");
    });
}

#[test]
fn what_is_older_than_it_is_kept_makes_room() {
    on_both(|b| {
        for n in 0..450 {
            b.ask("audit/note").with("event_id", format!("evt_{n}")).with("keep", 1000).quietly().run().ok("noted");
        }
        b.pass(61 * SECOND);
        b.ask("audit/note").with("event_id", "evt_last").with("keep", 1000).run().ok("noted");
        let left: usize = b.run(&["XLEN", &b.key_of_owner(&format!("audit:{OWNER}"))]);
        assert!(left <= 151, "{left}"); // Redis trims whole nodes of a hundred
    });
}

#[test]
fn a_key_s_audit_begins_with_its_issue_and_ends_with_its_revocation() {
    on_both(|b| {
        b.ask("api_keys/create").run().ok("created");
        assert_eq!(of_key(b), [event(START, "evt_1")]);
        b.ask("api_keys/create").with("event_id", "evt_2").run().no("label_in_use");
        assert_eq!(of_key(b), [event(START, "evt_1")], "a refused mint is no event");
        b.ask("api_keys/revoke").with("event_id", "evt_3").run().ok("revoked");
        b.ask("api_keys/revoke").with("event_id", "evt_4").run().no("unauthorized");
        assert_eq!(of_key(b), [event(START + 1, "evt_3"), event(START, "evt_1")]);
        b.ask("api_keys/minting").with("want", "closed").with("event_id", "evt_5").run().ok("minting");
        assert_eq!(of_all(b, 0, 5), [event(START, "evt_5")]);
    });
}
