//! lua/channels/discover.lua, discover_enter.lua, discover_leave.lua, owned.lua, brief.lua

use crate::support::script::{Bench, CHANNEL, OWNER, SECOND, START, STRANGER, on_both};

const ANOTHER: &str = "ch_bbbbbbbbbbbbbbbbbbbb";
const THIRD: &str = "ch_cccccccccccccccccccc";

fn enter(b: &Bench, id: &str, created: u64) {
    b.ask("channels/discover_enter").on("fresh", id).with("id", id).with("created", created).run().ok("entered");
}

fn listed(b: &Bench, before: u64, limit: u64) -> Vec<String> {
    b.ask("channels/discover").with("before", before).with("limit", limit).run().ok("page").wrote_nothing().texts(0)
}

fn entry(id: &str, number: u64) -> [String; 2] {
    [id.to_owned(), number.to_string()]
}

pub fn answers_enter(b: &Bench) {
    enter(b, CHANNEL, 0);
    assert_eq!(listed(b, 0, 9), entry(CHANNEL, START));
    b.pass(SECOND);
    enter(b, CHANNEL, 0);
    assert_eq!(listed(b, 0, 9), entry(CHANNEL, START), "again it stays where it is");
}

pub fn answers_discover(b: &Bench) {
    assert_eq!(listed(b, 0, 9), [""; 0]);
    enter(b, ANOTHER, START - SECOND);
    enter(b, CHANNEL, 0);
    enter(b, THIRD, START - SECOND);
    // Two that were made in the same microsecond have numbers of their own, so a cursor between them loses neither.
    let all = [entry(CHANNEL, START), entry(THIRD, START - SECOND + 1), entry(ANOTHER, START - SECOND)];
    assert_eq!(listed(b, 0, 9), all.concat());
    assert_eq!(listed(b, 0, 1), all[0]);
    assert_eq!(listed(b, START, 1), all[1]);
    assert_eq!(listed(b, START - SECOND + 1, 9), all[2]);
    assert_eq!(listed(b, START - SECOND, 9), [""; 0]);
}

pub fn answers_leave(b: &Bench) {
    let leave = |gone: &str| b.ask("channels/discover_leave").on("fresh", CHANNEL).with("gone", gone).run();
    leave("").ok("left").wrote_nothing();
    enter(b, CHANNEL, 0);
    leave("").ok("kept").wrote_nothing();
    leave("1").ok("left");
    assert_eq!(b.dump(), "");
    enter(b, CHANNEL, 0);
    let fresh = b.dump().lines().find(|line| line.contains(":fresh:")).and_then(|line| line.split(' ').next()).expect("it is").to_owned();
    assert!((1..=60).contains(&b.run::<i64>(&["TTL", &fresh])));
    b.run::<()>(&["DEL", &fresh]);
    leave("").ok("left");
    assert_eq!(b.dump(), "");
}

pub fn answers_owned(b: &Bench) {
    b.active_key();
    let owned = |before: u64, limit: u64| b.ask("channels/owned").with("before", before).with("limit", limit).run().ok("page").texts(0);
    let take = |name: &str, id: &str| b.ask("channels/name_take").with("name", name).with("id", id);
    assert_eq!(owned(0, 9), [""; 0]);
    take("a", CHANNEL).run().ok("taken");
    take("b", ANOTHER).run().ok("taken");
    assert_eq!(owned(0, 9), [entry(ANOTHER, START + 1), entry(CHANNEL, START)].concat());
    assert_eq!(owned(START + 1, 1), entry(CHANNEL, START));
    // Renamed, it is the same channel; deleted, it is none; its name taken over, the new one is there instead.
    let drop = |name: &str, id: &str, gone: &str| b.ask("channels/name_drop").with("name", name).with("id", id).with("gone", gone).run();
    b.pass(SECOND);
    take("c", CHANNEL).run().ok("taken");
    drop("a", CHANNEL, "").ok("dropped");
    assert_eq!(owned(0, 9), [entry(ANOTHER, START + 1), entry(CHANNEL, START)].concat());
    drop("b", ANOTHER, "1").ok("dropped");
    assert_eq!(owned(0, 9), entry(CHANNEL, START));
    take("c", THIRD).with("instead_of", CHANNEL).run().ok("taken");
    assert_eq!(owned(0, 9), entry(THIRD, START + SECOND));
}

pub fn answers_brief(b: &Bench) {
    let brief = |key: &str| b.ask("channels/brief").with("key", key).run().wrote_nothing();
    brief(OWNER).no("channel_not_found");
    b.channel(&[("access", "restricted"), ("discoverable", "0")]);
    brief(STRANGER).ok("hidden");
    let shown = |key: &str| {
        let channel = brief(key).ok("channel");
        (0..channel.len()).map(|i| channel.text(i)).collect::<Vec<_>>()
    };
    let expected =
        |found: &str, member: &str| ["tasks", "claimable", "restricted", "", &START.to_string(), found, member].map(str::to_owned).to_vec();
    assert_eq!(shown(OWNER), expected("0", "1"));
    b.run::<()>(&["HSET", &b.key("meta"), "discoverable", "1"]);
    assert_eq!(shown(STRANGER), expected("1", "0"));
    b.ask("members/add").run().ok("added");
    assert_eq!(shown(STRANGER), expected("1", "1"));
}

#[test]
fn what_a_revoked_key_owned_is_forgotten_with_it() {
    on_both(|b| {
        b.active_key();
        b.ask("channels/name_take").run().ok("taken");
        let revoked = b.ask("api_keys/revoke").run().ok("revoked");
        assert!(revoked.after.contains(&format!("{} zset expires", b.key_of_owner(&format!("owned:{OWNER}")))), "{}", revoked.after);
    });
}
