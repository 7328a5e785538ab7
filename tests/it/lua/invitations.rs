//! lua/invitations/create.lua, route.lua, find.lua, gate.lua, resolve.lua, revoke.lua

use crate::support::answer::Answer;
use crate::support::script::{Ask, Bench, CHANNEL, INVITATION, OWNER, SECOND, START, STRANGER, on_both};

const DAY: u64 = 86_400 * SECOND;
const ANOTHER: &str = "inv_bbbbbbbbbbbbbbbbbbbbbbbbbb";

fn resolve(b: &Bench) -> Ask<'_> {
    b.ask("invitations/resolve").with("key", STRANGER)
}

/// What every script shows of an invitation that [`OWNER`] made at the start.
#[track_caller]
fn shows(answer: &Answer, revoked: u64) {
    assert_eq!((answer.text(0), answer.int(1), answer.int(2)), (INVITATION.into(), START, revoked));
    let texts = [3, 4, 5, 6, 7].map(|i| answer.text(i));
    assert_eq!(texts, [OWNER, "me", "tasks", "claimable", "what it is for"].map(str::to_owned));
}

fn restricted(b: &Bench) {
    b.channel(&[("access", "restricted"), ("description", "what it is for")]);
}

pub fn answers_create(b: &Bench) {
    let create = || b.ask("invitations/create");
    create().run().no("channel_not_found");
    restricted(b);
    create().with("key", STRANGER).run().no("channel_access_denied");
    b.ask("members/add").run().ok("added");
    create().with("key", STRANGER).run().no("forbidden");
    shows(&create().once("r").run().ok("created"), 0);
    let again = create().once("r").with("id", ANOTHER).run().ok("replayed").wrote_nothing();
    shows(&again, 0);
    create().once("r").with("body", "another").run().no("idempotency_key_reused");
    create().with("id", ANOTHER).with("cap", 1).run().no("quota_exceeded");
    b.ask("invitations/revoke").run().ok("revoked");
    create().with("id", ANOTHER).with("cap", 1).run().no("quota_exceeded");
    create().once("r2").with("id", ANOTHER).with("cap", 2).run().ok("created");
    b.pass(DAY);
    create().once("r2").run().no("invitation_expired");
    create().with("id", "inv_c").with("cap", 1).run().ok("created");
    assert_eq!(b.run::<Vec<String>>(&["HKEYS", &b.key("invites")]), ["inv_c"], "what has ended makes room");
    create().once("r2").run().no("invitation_not_found");
}

pub fn answers_resolve(b: &Bench) {
    resolve(b).run().no("channel_not_found");
    restricted(b);
    resolve(b).run().no("invitation_not_found");
    b.ask("invitations/create").run().ok("created");
    resolve(b).with("cap", 1).run().no("quota_exceeded");
    b.pass(SECOND);
    let joined = resolve(b).with("cap", 2).run().ok("joined");
    shows(&joined, 0);
    assert_eq!(b.run::<String>(&["HGET", &b.key("members"), STRANGER]), format!("{}\u{1f}{INVITATION}", b.now()));
    shows(&resolve(b).run().ok("known").wrote_nothing(), 0);
    shows(&b.ask("invitations/resolve").run().ok("known").wrote_nothing(), 0);
    b.at(START + DAY - 1);
    resolve(b).run().ok("known");
    b.at(START + DAY);
    resolve(b).run().no("invitation_expired");
    b.at(START + SECOND);
    b.ask("invitations/revoke").run().ok("revoked");
    resolve(b).run().no("invitation_revoked");
    b.at(START + DAY);
    resolve(b).run().no("invitation_revoked");
}

pub fn answers_revoke(b: &Bench) {
    let revoke = || b.ask("invitations/revoke");
    revoke().run().no("channel_not_found");
    restricted(b);
    revoke().run().no("invitation_not_found");
    b.ask("invitations/create").run().ok("created");
    revoke().with("key", STRANGER).run().no("forbidden");
    b.at(START + DAY);
    revoke().run().no("invitation_expired");
    b.at(START + SECOND);
    shows(&revoke().once("r").run().ok("revoked"), START + SECOND);
    b.pass(SECOND);
    shows(&revoke().once("r").run().ok("replayed").wrote_nothing(), START + SECOND);
    revoke().once("r").with("body", "another").run().no("idempotency_key_reused");
    shows(&revoke().run().ok("revoked").wrote_nothing(), START + SECOND);
    // Who made it may take it back, owner or not.
    b.run::<()>(&["HSET", &b.key("invites"), ANOTHER, &format!("{START}\u{1f}{STRANGER}\u{1f}me\u{1f}0")]);
    revoke().with("id", ANOTHER).with("key", STRANGER).run().ok("revoked");
}

pub fn answers_route(b: &Bench) {
    b.ask("invitations/route").with("created", START).run().ok("routed");
    b.ask("invitations/route").with("created", START).run().ok("routed").wrote_nothing();
    let key = b.dump().split(' ').next().expect("a key").to_owned();
    assert_eq!(b.run::<u64>(&["PEXPIRETIME", &key]), (START + 2 * DAY) / 1000);
}

pub fn answers_find(b: &Bench) {
    b.ask("invitations/find").run().no("invitation_not_found");
    b.ask("invitations/route").with("created", START).run().ok("routed");
    b.at(START + DAY - 1);
    assert_eq!(b.ask("invitations/find").run().ok("found").wrote_nothing().text(0), CHANNEL);
    b.at(START + DAY);
    b.ask("invitations/find").run().no("invitation_expired");
}

pub fn answers_gate(b: &Bench) {
    for _ in 0..2 {
        b.ask("invitations/gate").with("most", 2).run().ok("open");
    }
    let left: u64 = b.ask("invitations/gate").with("most", 2).run().no("rate_limit_exceeded").detail("retry_after_ms#").parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[test]
fn an_invitation_to_an_open_channel_makes_no_member() {
    on_both(|b| {
        b.channel(&[("description", "what it is for")]);
        b.ask("invitations/create").run().ok("created");
        shows(&resolve(b).run().ok("known").wrote_nothing(), 0);
    });
}

#[test]
fn nothing_of_it_is_left_when_its_channel_is_deleted() {
    on_both(|b| {
        restricted(b);
        b.ask("invitations/create").run().ok("created");
        resolve(b).run().ok("joined");
        b.ask("access_requests/request").with("key", "bck_x").run().ok("pending");
        let deleted = b.ask("channels/delete").run().ok("deleted");
        assert_eq!(deleted.after, format!("{} string expires\n  1\n", b.key("gone")));
        resolve(b).run().no("channel_not_found");
    });
}
