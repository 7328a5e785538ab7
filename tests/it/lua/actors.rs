//! lua/actors/find.lua, read.lua, register.lua

use crate::support::script::{ACTOR, Bench, OTHER_ACTOR, OWNER, SECOND, START, on_both};

pub fn answers_find(b: &Bench) {
    let find = |name: &str| b.ask("actors/find").with("name", name).run();
    find("worker").no("actor_not_found");
    b.active_key();
    b.ask("actors/register").run().ok("created");
    assert_eq!(find("worker").ok("found").wrote_nothing().text(0), ACTOR);
    find("work").no("actor_not_found");
}

pub fn answers_read(b: &Bench) {
    b.ask("actors/read").run().no("actor_not_found");
    b.active_key();
    b.ask("actors/register").with("metadata", "{}").with("description", "d").run().ok("created");
    let record = b.ask("actors/read").run().ok("actor").wrote_nothing().text(0);
    assert_eq!(record, format!("worker\u{1f}{OWNER}\u{1f}me\u{1f}{START}\u{1f}{{}}\u{1f}d"));
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
