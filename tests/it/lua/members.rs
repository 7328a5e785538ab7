//! lua/members/add.lua, check.lua, list.lua, remove.lua

use super::webhooks::{HOOK, refuses_when_full};
use crate::support::script::{Bench, OWNER, SECOND, START, STRANGER, on_both};

const THIRD: &str = "bck_ttttttttttttttttaaaaaaaaaa";

pub fn answers_add(b: &Bench) {
    let add = || b.ask("members/add");
    add().run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    add().with("key", STRANGER).run().no("channel_access_denied");
    let added = add().once("r").run().ok("added");
    assert_eq!((added.int(0), added.text(1)), (START + 1, String::new()), "after the owner");
    b.pass(SECOND);
    let replayed = add().once("r").run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.int(0), replayed.text(1)), (START + 1, String::new()));
    add().once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(add().run().ok("added").wrote_nothing().int(0), START + 1, "again changes nothing");
    add().with("key", STRANGER).run().no("forbidden");
    add().with("member", THIRD).with("cap", 2).run().no("quota_exceeded");
    add().with("cap", 2).run().ok("added").wrote_nothing();
    b.set(HOOK.0, HOOK.1);
    refuses_when_full(b, &|| add().with("member", THIRD));
}

pub fn answers_check(b: &Bench) {
    let check = |key: &str| b.ask("members/check").with("key", key).run();
    check(OWNER).no("channel_not_found");
    b.channel(&[]);
    check(OWNER).ok("member").wrote_nothing();
    check(STRANGER).ok("stranger").wrote_nothing();
    b.ask("members/add").run().ok("added");
    check(STRANGER).ok("member");
}

pub fn answers_list(b: &Bench) {
    b.ask("members/list").run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask("members/list").with("key", STRANGER).run().no("channel_access_denied");
    b.ask("members/add").run().ok("added");
    b.ask("members/list").with("key", STRANGER).run().no("forbidden");
    let list = b.ask("members/list").run().ok("members").wrote_nothing().texts(0);
    assert_eq!(list, [OWNER.into(), format!("{START}\u{1f}"), STRANGER.into(), format!("{}\u{1f}", START + 1)]);
}

#[test]
fn pages_of_members_go_on_where_the_last_one_ended_also_when_the_clock_stands_or_goes_back() {
    on_both(|b| {
        b.channel(&[]);
        let keys: Vec<String> = (0..7).map(|n| format!("bck_{}", n.to_string().repeat(26))).collect();
        for (n, key) in keys.iter().enumerate() {
            b.at(START + SECOND - u64::from(n >= 4) * SECOND);
            b.ask("members/add").with("member", key).run().ok("added");
        }
        let page = |cursor: u64| {
            let page = b.ask("members/list").with("cursor", cursor).with("limit", 3).run().ok("members").wrote_nothing().texts(0);
            let at = page.last().map_or(0, |grant| grant.trim_end_matches('\u{1f}').parse().expect("a time"));
            (page.into_iter().step_by(2).collect::<Vec<_>>(), at)
        };
        let mut seen = Vec::new();
        let mut cursor = 0;
        for count in [3, 3, 2, 0] {
            let (keys, next) = page(cursor);
            assert_eq!(keys.len(), count);
            seen.extend(keys);
            cursor = next.max(cursor);
        }
        assert_eq!((seen[0].as_str(), &seen[1..]), (OWNER, &keys[..]), "the owner, and the others as they came");
        b.ask("members/remove").with("member", &keys[0]).run().ok("removed");
        assert_eq!(page(0).0, [OWNER, &keys[1], &keys[2]]);
    });
}

pub fn answers_remove(b: &Bench) {
    let remove = || b.ask("members/remove");
    remove().run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    remove().with("key", STRANGER).run().no("channel_access_denied");
    remove().run().no("member_not_found");
    b.ask("members/add").run().ok("added");
    remove().with("key", STRANGER).with("member", THIRD).run().no("forbidden");
    remove().with("member", OWNER).run().no("cannot_remove_owner");
    remove().once("r").run().ok("removed").woke(&["all"]);
    remove().once("r").run().ok("replayed").wrote_nothing();
    remove().once("r").with("body", "another").run().no("idempotency_key_reused");
}

#[test]
fn a_member_may_until_it_is_removed_and_then_waiters_ask_again() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        let list = || b.ask("messages/list").with("key", STRANGER).run();
        list().no("channel_access_denied");
        b.ask("members/add").run().ok("added");
        let rev = list().ok("page").int(1);
        b.ask("members/remove").run().ok("removed");
        list().no("channel_access_denied");
        assert_eq!(b.ask("messages/list").run().ok("page").int(1), rev + 1);
    });
}

#[test]
fn who_leaves_is_out_and_its_retry_is_answered() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        b.ask("members/add").run().ok("added");
        let leave = || b.ask("members/remove").with("key", STRANGER).once("r").run();
        leave().ok("removed").woke(&["all"]);
        leave().ok("replayed").wrote_nothing();
        b.ask("members/remove").with("key", STRANGER).run().no("channel_access_denied");
        b.set("access", "open");
        b.ask("members/remove").with("key", STRANGER).run().no("member_not_found");
    });
}
