//! lua/access_requests/request.lua, list.lua, approve.lua, deny.lua

use super::webhooks::{HOOK, refuses_when_full};
use crate::support::script::{Ask, Bench, OWNER, REQUEST, START, STRANGER, on_both};

const ANOTHER: &str = "acr_ssssssssssssssssaaaaaaaaaabbbbbbbbbb";
const THIRD: &str = "bck_ttttttttttttttttaaaaaaaaaa";

fn request(b: &Bench) -> Ask<'_> {
    b.ask("access_requests/request").with("key", STRANGER)
}

/// Approving or denying what [`STRANGER`] asks for.
fn answer<'a>(b: &'a Bench, name: &'static str) -> Ask<'a> {
    b.ask(name).on("resolved", REQUEST)
}

pub fn answers_request(b: &Bench) {
    request(b).run().no("channel_not_found");
    b.channel(&[]);
    request(b).run().ok("open").wrote_nothing();
    b.set("access", "restricted");
    b.ask("access_requests/request").run().ok("already_member").wrote_nothing();
    assert_eq!(request(b).once("r").run().ok("pending").text(0), REQUEST);
    let again = request(b).once("r").run().ok("replayed").wrote_nothing();
    assert_eq!((again.text(0), again.text(1)), ("pending".into(), REQUEST.into()));
    request(b).once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(request(b).with("id", ANOTHER).run().ok("pending").wrote_nothing().text(0), REQUEST, "the same one");
    request(b).with("key", THIRD).with("cap", 1).run().no("quota_exceeded");
    request(b).with("cap", 1).run().ok("pending");
    b.ask("members/add").run().ok("added");
    assert_eq!(request(b).once("in").run().ok("already_member").len(), 0);
    let again = request(b).once("in").run().ok("replayed").wrote_nothing();
    assert_eq!((again.text(0), again.text(1)), ("already_member".into(), String::new()));
}

pub fn answers_list(b: &Bench) {
    b.ask("access_requests/list").run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask("access_requests/list").with("key", STRANGER).run().no("channel_access_denied");
    request(b).with("reason", "I run\u{1f}the worker").run().ok("pending");
    let all = b.ask("access_requests/list").run().ok("requests").wrote_nothing().texts(0);
    assert_eq!(all, [STRANGER.to_owned(), format!("{REQUEST}\u{1f}{START}\u{1f}me\u{1f}I run\u{1f}the worker")]);
    b.ask("members/add").with("member", THIRD).run().ok("added");
    b.ask("access_requests/list").with("key", THIRD).run().no("forbidden");
}

/// What approving and denying have in common.
fn refusals(b: &Bench, name: &'static str, word: &str) {
    answer(b, name).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    answer(b, name).with("key", STRANGER).run().no("channel_access_denied");
    b.ask("members/add").with("member", THIRD).run().ok("added");
    answer(b, name).with("key", THIRD).run().no("forbidden");
    answer(b, name).run().no("access_request_not_found");
    request(b).run().ok("pending");
    b.ask(name).on("resolved", ANOTHER).with("id", ANOTHER).run().no("access_request_not_found");
    answer(b, name).once("r").run().ok(word);
    answer(b, name).once("r").run().ok("replayed").wrote_nothing();
    answer(b, name).once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(answer(b, name).run().no("access_request_resolved").detail("status"), word);
}

pub fn answers_approve(b: &Bench) {
    refusals(b, "access_requests/approve", "approved");
    // It was put out and asks again: another request, which the answer to the first does not touch.
    b.ask("members/remove").run().ok("removed");
    request(b).with("id", ANOTHER).run().ok("pending");
    answer(b, "access_requests/approve").run().no("access_request_resolved");
    let approve = || b.ask("access_requests/approve").on("resolved", ANOTHER).with("id", ANOTHER);
    approve().with("cap", 2).run().no("quota_exceeded");
    b.set(HOOK.0, HOOK.1);
    refuses_when_full(b, &approve);
    approve().with("cap", 3).run().ok("approved");
}

pub fn answers_deny(b: &Bench) {
    refusals(b, "access_requests/deny", "denied");
    assert_eq!(b.ask("events/list").run().ok("page").list(0).len(), 1, "who was not let in is no event, who was added before is");
    request(b).with("id", ANOTHER).run().ok("pending");
}

#[test]
fn who_is_approved_may_read_and_it_is_told_once() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        request(b).run().ok("pending");
        b.ask("messages/list").with("key", STRANGER).run().no("channel_access_denied");
        answer(b, "access_requests/approve").run().ok("approved").woke(&[]);
        b.ask("messages/list").with("key", STRANGER).run().ok("page");
        assert_eq!(b.ask("events/list").run().ok("page").list(0).len(), 1);
        assert_eq!(b.run::<u64>(&["EXISTS", &b.key("requests")]), 0, "nobody waits any more");
        let members: Vec<String> = b.run(&["HKEYS", &b.key("members")]);
        assert_eq!(members, [OWNER, STRANGER]);
    });
}

#[test]
fn approving_who_was_let_in_meanwhile_changes_nothing_of_its_membership() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        request(b).run().ok("pending");
        b.ask("members/add").run().ok("added");
        b.pass(1_000_000);
        let granted = || b.run::<String>(&["HGET", &b.key("members"), STRANGER]);
        let before = granted();
        answer(b, "access_requests/approve").with("cap", 2).run().ok("approved");
        assert_eq!((granted(), b.ask("events/list").run().ok("page").list(0).len()), (before, 1));
    });
}
