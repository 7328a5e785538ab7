//! lua/sessions/*.lua

use crate::support::answer::Answer;
use crate::support::script::{Ask, Bench, SECOND, SESSION, START, on_both};

const SECOND_SESSION: &str = "ses_bbbbbbbbbbbbbbbbbbbb";
const DAY: u64 = 86_400 * SECOND;

fn create<'a>(b: &'a Bench, id: &str) -> Ask<'a> {
    b.ask("sessions/create").with("id", id).with("name", "flow").with("state", r#"{"a": 1.0}"#)
}

fn record(revision: u64, name: &str, metadata: &str, state: &str) -> String {
    format!("{START}\u{1f}{START}\u{1f}{revision}\u{1f}{name}\u{1f}{metadata}\u{1f}{state}")
}

pub fn answers_create(b: &Bench) {
    assert_eq!(create(b, SESSION).once("r").run().ok("created").int(0), START);
    let replayed = create(b, SECOND_SESSION).once("r").run().ok("replayed").wrote_nothing();
    assert_eq!((replayed.int(0), replayed.text(1)), (START, SESSION.to_owned()));
    create(b, SECOND_SESSION).once("r").with("body", "another").run().no("idempotency_key_reused");
    let refused = create(b, SECOND_SESSION).with("cap", 1).run().no("quota_exceeded");
    assert_eq!((refused.detail("limit"), refused.detail("value#")), ("sessions_per_key".to_owned(), "1".to_owned()));
    create(b, SECOND_SESSION).with("cap", 2).run().ok("created");
}

pub fn answers_read(b: &Bench) {
    let read = || b.ask("sessions/read").run();
    read().no("session_not_found");
    create(b, SESSION).run().ok("created");
    assert_eq!(read().ok("session").wrote_nothing().text(0), record(1, "flow", "", r#"{"a": 1.0}"#));
    b.pass(DAY - 1);
    read().ok("session");
    b.pass(1);
    read().no("session_not_found");
}

pub fn answers_list(b: &Bench) {
    let ids = |answer: Answer| (answer.texts(0), answer.int(2));
    let list =
        |before: u64, limit: u64| b.ask("sessions/list").with("before", before).with("limit", limit).run().ok("page").wrote_nothing();
    assert_eq!(ids(list(0, 50)), (vec![], 0));
    create(b, SESSION).run().ok("created");
    create(b, SECOND_SESSION).run().ok("created");
    // Of one microsecond, and told apart all the same.
    assert_eq!(ids(list(0, 50)), (vec![SECOND_SESSION.to_owned(), SESSION.to_owned()], 0));
    assert_eq!(ids(list(0, 1)), (vec![SECOND_SESSION.to_owned()], 1));
    assert_eq!(ids(list(START + 1, 1)), (vec![SESSION.to_owned()], 1));
    assert_eq!(ids(list(START, 1)), (vec![], 0));
    b.pass(DAY);
    assert_eq!(ids(list(0, 50)), (vec![SECOND_SESSION.to_owned()], 0), "the first has ended");
}

pub fn answers_update(b: &Bench) {
    let update = || b.ask("sessions/update").with("name", "n").with("metadata", r#"{"m":[]}"#).with("state", "{}");
    update().run().no("session_not_found");
    create(b, SESSION).run().ok("created");
    let new = record(2, "n", r#"{"m":[]}"#, "{}");
    assert_eq!(update().once("r").run().ok("updated").text(0), new);
    assert_eq!(update().once("r").run().ok("replayed").wrote_nothing().text(0), new);
    update().once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(update().with("name", "late").run().ok("changed").wrote_nothing().text(0), new, "made from a revision that is gone");
    assert_eq!(update().with("rev", 2).run().ok("updated").text(0), record(3, "n", r#"{"m":[]}"#, "{}"));
    b.pass(DAY);
    update().with("rev", 3).run().no("session_not_found");
}

pub fn answers_delete(b: &Bench) {
    let delete = || b.ask("sessions/delete");
    delete().run().no("session_not_found");
    create(b, SESSION).run().ok("created");
    delete().once("r").run().ok("deleted");
    delete().once("r").run().ok("replayed").wrote_nothing();
    delete().once("r").with("body", "another").run().no("idempotency_key_reused");
    delete().run().no("session_not_found");
    assert_eq!(b.ask("sessions/list").run().ok("page").texts(0), Vec::<String>::new());
}

#[test]
fn sessions_that_have_ended_make_room_and_are_removed_step_by_step() {
    on_both(|b| {
        for n in 0..100 {
            create(b, &format!("ses_{n}")).with("cap", 100).quietly().run().ok("created");
        }
        create(b, SESSION).with("cap", 100).run().no("quota_exceeded");
        b.pass(DAY + SECOND);
        let left = |b: &Bench| b.run::<usize>(&["HLEN", &b.key_of_owner(&format!("sessions:{}", crate::support::script::OWNER))]);
        create(b, SESSION).with("cap", 100).run().ok("created");
        assert_eq!(left(b), 100 - 64 + 1);
        create(b, SECOND_SESSION).with("cap", 100).run().ok("created");
        assert_eq!(left(b), 2);
    });
}

#[test]
fn a_page_is_about_a_mebibyte_and_goes_on() {
    on_both(|b| {
        let state = format!("{{\"a\":\"{}\"}}", "x".repeat(65_000));
        for n in 0..20 {
            create(b, &format!("ses_{n:02}")).with("state", &state).quietly().run().ok("created");
        }
        let page = b.ask("sessions/list").run().ok("page");
        assert_eq!((page.texts(0).len(), page.texts(1).len(), page.int(2)), (16, 16, 1));
        assert_eq!(page.texts(0)[15], "ses_04");
    });
}
