//! lua/actors/find.lua, known.lua, read.lua, register.lua, alias_add.lua, alias_remove.lua

use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, OWNER, SECOND, START, STRANGER, on_both};

pub fn answers_find(b: &Bench) {
    let find = |name: &str| b.ask("actors/find").with("name", name).run();
    find("worker").no("actor_not_found");
    b.active_key();
    b.ask("actors/register").run().ok("created");
    assert_eq!(find("worker").ok("found").wrote_nothing().text(0), ACTOR);
    find("work").no("actor_not_found");
}

pub fn answers_known(b: &Bench) {
    b.ask("actors/known").run().no("actor_not_found");
    b.active_key();
    b.ask("actors/register").run().ok("created");
    let known = || {
        let known = b.ask("actors/known").run().ok("actor").wrote_nothing();
        (known.text(0), known.text(1), known.int(2))
    };
    assert_eq!(known(), ("worker".into(), OWNER.into(), 0));
    b.ask("actors/hook_set").run().ok("set");
    assert_eq!(known(), ("worker".into(), OWNER.into(), 1));
}

pub fn answers_alias_add(b: &Bench) {
    let add = |alias: &str| b.ask("actors/alias_add").with("alias", alias);
    add("a").run().no("actor_not_found");
    b.active_key();
    b.ask("actors/register").run().ok("created");
    add("a").with("key", STRANGER).run().no("actor_forbidden");
    add("").run().ok("allowed").wrote_nothing();
    add("a").once("r").run().ok("added");
    add("a").once("r").run().ok("replayed").wrote_nothing();
    add("a").once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(add("b").with("cap", 1).run().no("quota_exceeded").detail("limit"), "aliases_per_actor");
    assert_eq!(add("b").with("cap_of_key", 1).run().no("quota_exceeded").detail("limit"), "actor_aliases_per_key");
    add("a").with("cap", 1).with("cap_of_key", 1).run().ok("added").wrote_nothing();
}

pub fn answers_alias_remove(b: &Bench) {
    let remove = |alias: &str| b.ask("actors/alias_remove").with("alias", alias);
    remove("b").run().no("actor_not_found");
    b.active_key();
    b.ask("actors/register").run().ok("created");
    remove("b").with("key", STRANGER).run().no("actor_forbidden");
    remove("b").run().no("alias_not_found");
    for alias in ["a", "b", "c"] {
        b.ask("actors/alias_add").with("alias", alias).run().ok("added");
    }
    remove("z").run().no("alias_not_found");
    remove("").run().no("alias_not_found");
    b.pass(SECOND);
    let at = b.now();
    let listed = || b.ask("actors/read").run().ok("actor").text(1);
    remove("b").once("r").run().ok("removed");
    assert_eq!(listed(), format!("{at}\u{1f}a\u{1f}c\u{1f}"));
    remove("b").once("r").run().ok("replayed").wrote_nothing();
    remove("b").once("r").with("body", "another").run().no("idempotency_key_reused");
    remove("a").run().ok("removed");
    remove("c").run().ok("removed");
    assert_eq!(listed(), format!("{at}\u{1f}"));
    assert_eq!(b.run::<String>(&["HGET", &b.key_of_owner(&format!("key:{OWNER}")), "aliases"]), "0");
    remove("d").with("freed", "1").run().ok("removed").wrote_nothing(); // it was bound and never listed
}

pub fn answers_read(b: &Bench) {
    b.ask("actors/read").run().no("actor_not_found");
    b.active_key();
    b.ask("actors/register").with("metadata", "{}").with("description", "d").run().ok("created");
    let record = b.ask("actors/read").run().ok("actor").wrote_nothing().text(0);
    assert_eq!(record, format!("worker\u{1f}{OWNER}\u{1f}me\u{1f}{START}\u{1f}{{}}\u{1f}d"));
    b.ask("actors/alias_add").run().ok("added");
    assert_eq!(b.ask("actors/read").run().ok("actor").wrote_nothing().text(1), format!("{START}\u{1f}nick\u{1f}"));
}

pub fn answers_register(b: &Bench) {
    let register = || b.ask("actors/register");
    register().run().no("unauthorized");
    b.active_key();
    assert_eq!(register().once("r").run().ok("created").text(0), ACTOR);
    b.pass(SECOND);
    let replayed = register().once("r").with("id", OTHER_ACTOR).run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.text(0), replayed.int(1)), (ACTOR.into(), 1));
    register().once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(register().with("id", OTHER_ACTOR).run().ok("existing").wrote_nothing().text(0), ACTOR);
    register().once("r2").with("id", OTHER_ACTOR).run().ok("existing");
    let replayed = register().once("r2").with("id", OTHER_ACTOR).run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.text(0), replayed.int(1)), (ACTOR.into(), 0));
    register().with("name", "another").with("cap", 1).run().no("quota_exceeded");
}

#[test]
fn a_name_is_one_actor_and_what_was_said_of_it_first_stays() {
    on_both(|b| {
        b.active_key();
        let register = |id: &str, description: &str| b.ask("actors/register").with("id", id).with("description", description).run();
        register(ACTOR, "first").ok("created");
        assert_eq!(register(OTHER_ACTOR, "second").ok("existing").wrote_nothing().text(0), ACTOR);
    });
}

#[test]
fn a_retried_request_keeps_the_actor_of_its_first_try() {
    on_both(|b| {
        b.active_key();
        let find = |found: &str| b.ask("actors/find").with("found", found).with("pin_ms", 60_000);
        find("").run().no("actor_not_found");
        assert_eq!(find(OTHER_ACTOR).run().ok("found").text(0), OTHER_ACTOR, "an alias");
        b.ask("actors/register").run().ok("created");
        assert_eq!(find("").run().ok("found").wrote_nothing().text(0), OTHER_ACTOR, "and stays it");
        assert_eq!(find(OTHER_ACTOR).on("pin", "r2").run().ok("found").text(0), ACTOR, "an own name comes before an alias");
    });
}

#[test]
fn an_alias_is_listed_once_and_parts_of_aliases_are_others() {
    on_both(|b| {
        b.active_key();
        b.ask("actors/register").run().ok("created");
        let add = |alias: &str| b.ask("actors/alias_add").with("alias", alias).run().ok("added");
        add("one-two");
        b.pass(SECOND);
        add("two");
        add("one");
        b.pass(SECOND);
        add("one-two").wrote_nothing();
        assert_eq!(b.ask("actors/read").run().ok("actor").text(1), format!("{}\u{1f}one-two\u{1f}two\u{1f}one\u{1f}", START + SECOND));
        b.ask("actors/alias_remove").with("alias", "two").run().ok("removed");
        assert_eq!(b.ask("actors/read").run().ok("actor").text(1), format!("{}\u{1f}one-two\u{1f}one\u{1f}", b.now()));
    });
}
