//! lua/channels/name_take.lua, name_read.lua, name_drop.lua, alias_add.lua, alias_remove.lua; lua/aliases/

use crate::support::script::{Bench, CHANNEL, SECOND, STRANGER, on_both};

const ANOTHER: &str = "ch_bbbbbbbbbbbbbbbbbbbb";
const THIRD: &str = "ch_cccccccccccccccccccc";

pub fn answers_name_take(b: &Bench) {
    let take = |name: &str, id: &str| b.ask("channels/name_take").with("name", name).with("id", id);
    take("a", CHANNEL).run().no("unauthorized");
    b.active_key();
    assert_eq!(take("a", CHANNEL).run().ok("taken").text(0), CHANNEL);
    assert_eq!(take("a", ANOTHER).run().ok("bound").wrote_nothing().text(0), CHANNEL);
    take("b", ANOTHER).with("cap", 1).run().no("quota_exceeded");
}

pub fn answers_name_read(b: &Bench) {
    b.active_key();
    b.ask("channels/name_take").run().ok("taken");
    let read = |name: &str| b.ask("channels/name_read").with("name", name);
    assert_eq!(read("worker").run().ok("bound").wrote_nothing().text(0), CHANNEL);
    assert_eq!(read("other").run().ok("bound").wrote_nothing().text(0), "");
}

pub fn answers_name_drop(b: &Bench) {
    b.active_key();
    b.ask("channels/name_take").run().ok("taken");
    assert_eq!(b.ask("channels/name_drop").with("id", ANOTHER).run().ok("dropped").wrote_nothing().int(0), 0);
    let dropped = b.ask("channels/name_drop").run().ok("dropped");
    assert_eq!((dropped.int(0), dropped.after.contains(":channels:")), (1, false));
}

pub fn answers_alias_add(b: &Bench) {
    let add = |alias: &str| b.ask("channels/alias_add").with("alias", alias);
    add("a").run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    add("a").with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    add("a").with("key", STRANGER).run().no("forbidden");
    add("").run().ok("allowed").wrote_nothing();
    add("a").once("r").run().ok("added");
    add("a").once("r").run().ok("replayed").wrote_nothing();
    add("a").once("r").with("body", "another").run().no("idempotency_key_reused");
    add("b").with("cap", 1).run().no("quota_exceeded");
    // Who only asks is told so even of a full list: the alias may be on it.
    add("").with("cap", 1).run().ok("allowed").wrote_nothing();
}

pub fn answers_alias_remove(b: &Bench) {
    let remove = |alias: &str| b.ask("channels/alias_remove").with("alias", alias);
    remove("b").run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    remove("b").with("key", STRANGER).run().no("channel_access_denied");
    b.set("access", "open");
    remove("b").with("key", STRANGER).run().no("forbidden");
    for alias in ["a", "b", "c"] {
        b.ask("channels/alias_add").with("alias", alias).run().ok("added");
    }
    remove("z").run().no("alias_not_found");
    remove("").run().no("alias_not_found");
    let listed = || b.run::<String>(&["HGET", &b.key("meta"), "aliases"]);
    remove("b").once("r").run().ok("removed");
    assert_eq!(listed(), "a\u{1f}c\u{1f}");
    remove("b").once("r").run().ok("replayed").wrote_nothing();
    remove("b").once("r").with("body", "another").run().no("idempotency_key_reused");
    remove("a").run().ok("removed");
    remove("c").run().ok("removed");
    assert_eq!(listed(), "");
    remove("d").with("freed", "1").run().ok("removed").wrote_nothing(); // it was bound and never listed
}

pub fn answers_alias_take(b: &Bench) {
    b.ask("aliases/take").run().ok("taken");
    b.ask("aliases/take").run().ok("mine").wrote_nothing();
    assert_eq!(b.ask("aliases/take").with("id", ANOTHER).run().ok("bound").wrote_nothing().text(0), CHANNEL);
}

pub fn answers_alias_read(b: &Bench) {
    assert_eq!(b.ask("aliases/read").run().ok("bound").text(0), "");
    b.ask("aliases/take").run().ok("taken");
    assert_eq!(b.ask("aliases/read").run().ok("bound").wrote_nothing().text(0), CHANNEL);
}

pub fn answers_alias_drop(b: &Bench) {
    b.ask("aliases/take").run().ok("taken");
    b.ask("aliases/drop").with("id", ANOTHER).run().ok("dropped").wrote_nothing();
    assert_eq!(b.ask("aliases/drop").run().ok("dropped").after, "");
}

#[test]
fn a_retried_request_keeps_the_channel_of_its_first_try() {
    on_both(|b| {
        b.active_key();
        let take = |id: &str| b.ask("channels/name_take").with("id", id).with("pin_ms", 60_000);
        take(CHANNEL).on("pin", "r1").run().ok("taken");
        b.ask("channels/name_drop").run().ok("dropped");
        assert_eq!(take(ANOTHER).on("pin", "r1").run().ok("bound").wrote_nothing().text(0), CHANNEL);
        assert_eq!(take(ANOTHER).on("pin", "r2").run().ok("taken").text(0), ANOTHER);
        // A name that was there is pinned too, for it may be freed before the retry comes.
        assert_eq!(take(THIRD).on("pin", "r3").run().ok("bound").text(0), ANOTHER);
        b.ask("channels/name_drop").with("id", ANOTHER).run().ok("dropped");
        assert_eq!(take(THIRD).on("pin", "r3").run().ok("bound").wrote_nothing().text(0), ANOTHER);
    });
}

#[test]
fn a_name_is_taken_from_a_channel_that_is_known_to_be_gone_and_counts_once() {
    on_both(|b| {
        b.active_key();
        let take = || b.ask("channels/name_take").with("cap", 1).with("pin_ms", 60_000);
        take().run().ok("taken");
        assert_eq!(take().with("id", ANOTHER).with("instead_of", CHANNEL).run().ok("taken").text(0), ANOTHER);
        let bound = take().with("id", THIRD).with("instead_of", CHANNEL).run().ok("bound").wrote_nothing();
        assert_eq!(bound.text(0), ANOTHER);
        // The same for an alias.
        b.ask("aliases/take").run().ok("taken");
        b.ask("aliases/take").with("id", ANOTHER).with("instead_of", CHANNEL).run().ok("taken");
        assert_eq!(b.ask("aliases/read").run().ok("bound").text(0), ANOTHER);
    });
}

#[test]
fn a_read_with_a_pin_goes_to_the_channel_that_the_first_try_went_to() {
    on_both(|b| {
        b.active_key();
        let read = || b.ask("channels/name_read").with("found", ANOTHER).with("pin_ms", 60_000);
        assert_eq!(read().run().ok("bound").text(0), ANOTHER);
        b.ask("channels/name_take").run().ok("taken");
        assert_eq!(read().run().ok("bound").wrote_nothing().text(0), ANOTHER);
        assert_eq!(read().on("pin", "r2").run().ok("bound").text(0), CHANNEL, "an own name comes before an alias");
        let nothing = b.ask("channels/name_read").with("name", "nowhere").on("pin", "r3").with("pin_ms", 60_000);
        assert_eq!(nothing.run().ok("bound").wrote_nothing().text(0), "", "nothing is pinned to nothing");
    });
}

#[test]
fn an_alias_is_on_the_record_once_and_parts_of_aliases_are_others() {
    on_both(|b| {
        b.channel(&[]);
        let add = |alias: &str| b.ask("channels/alias_add").with("alias", alias).run().ok("added");
        add("one-two");
        b.pass(SECOND);
        let added = add("two");
        assert!(added.after.contains("aliases = one-two\u{1f}two\u{1f}\n"), "{}", added.after);
        assert!(added.after.contains(&format!("updated = {}\n", b.now())), "{}", added.after);
        b.pass(SECOND);
        add("one-two").wrote_nothing();
        b.ask("channels/alias_add").with("alias", "two").with("cap", 2).run().ok("added").wrote_nothing();
    });
}
