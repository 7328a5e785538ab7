//! lua/rooms/*.lua that count rooms or limit an address

use crate::support::script::{Ask, Bench, ROOM, SECOND, START, on_both};

const HOUR: u64 = 3600 * SECOND;

fn admit_room<'a>(b: &'a Bench, id: &str) -> Ask<'a> {
    b.ask("rooms/admit_room").with("id", id).with("most", 2)
}

fn register<'a>(b: &'a Bench, id: &str) -> Ask<'a> {
    b.ask("rooms/register").with("id", id).with("due", SECOND)
}

fn file<'a>(b: &'a Bench, state: &str, numbers: [u64; 5]) -> Ask<'a> {
    let ask = b.ask("rooms/file").with("id", ROOM).with("state", state).with("due", b.now() + 5 * SECOND);
    let names = ["participants", "length", "texts", "resumes", "slept"];
    names.into_iter().zip(numbers).fold(ask, |ask, (name, n)| ask.with(name, n))
}

/// awake, asleep, and the totals as text.
fn counts(b: &Bench) -> (u64, u64, Vec<String>) {
    let counts = b.ask("rooms/counts").run().ok("counts").wrote_nothing();
    let mut totals: Vec<String> = counts.texts(2).chunks(2).map(|p| format!("{} {}", p[0], p[1])).collect();
    totals.sort();
    (counts.int(0), counts.int(1), totals)
}

pub fn answers_admit(b: &Bench) {
    let admit = || b.ask("rooms/admit").run();
    admit().ok("open");
    admit().ok("open");
    assert_eq!(admit().ok("rate_limited").wrote_nothing().int(0), 1_800_000, "one of two an hour");
    b.pass(HOUR / 2 - 1);
    assert_eq!(admit().ok("rate_limited").int(0), 1);
    b.pass(1);
    admit().ok("open");
    admit().ok("rate_limited");
    b.pass(HOUR);
    admit().ok("open");
    admit().ok("open");
    admit().ok("rate_limited");
    b.ask("rooms/admit").on("bucket", "other").run().ok("open");
    b.ask("rooms/admit").with("per_hour", 0).run().ok("open").wrote_nothing();
}

pub fn answers_admit_room(b: &Bench) {
    admit_room(b, "r1").with("per_hour", 3).run().ok("open");
    admit_room(b, "r2").with("per_hour", 3).run().ok("open");
    let full = admit_room(b, "r3").with("per_hour", 3).run().ok("full").wrote_nothing();
    assert_eq!(full.texts(0), ["r1", "r2"]);
    b.ask("rooms/release").with("id", "r1").run().ok("released");
    admit_room(b, "r3").with("per_hour", 3).run().ok("open");
    b.ask("rooms/release").with("id", "r2").run().ok("released");
    assert_eq!(admit_room(b, "r4").with("per_hour", 3).run().ok("rate_limited").wrote_nothing().int(0), 1_200_000);
    admit_room(b, "r5").with("per_hour", 0).with("most", 0).run().ok("open").wrote_nothing();
}

pub fn answers_hold(b: &Bench) {
    b.ask("rooms/hold").with("id", "r1").run().ok("held");
    b.ask("rooms/hold").with("id", "r2").run().ok("held");
    admit_room(b, "r3").run().ok("full");
}

pub fn answers_release(b: &Bench) {
    b.ask("rooms/release").with("id", "r1").run().ok("released").wrote_nothing();
    b.ask("rooms/hold").with("id", "r1").run().ok("held");
    b.ask("rooms/release").with("id", "r1").run().ok("released");
    assert!(!b.dump().contains("held"));
}

pub fn answers_register(b: &Bench) {
    register(b, ROOM).run().ok("registered");
    register(b, ROOM).run().ok("registered");
    assert_eq!(counts(b), (1, 0, vec!["created 1".to_owned()]));
}

pub fn answers_due(b: &Bench) {
    let due = |b: &Bench| b.ask("rooms/due").run().ok("rooms").texts(0);
    register(b, ROOM).run().ok("registered");
    let first = b.ask("rooms/due").run().ok("rooms").wrote_nothing();
    assert_eq!((first.texts(0), first.int(1)), (vec![], START + SECOND));
    b.pass(SECOND);
    assert_eq!(due(b), [ROOM]);
    assert_eq!(due(b), Vec::<String>::new(), "another replica does not look at the same time");
    b.pass(10 * SECOND);
    assert_eq!(due(b), [ROOM], "the first one did not file it");
    file(b, "awake", [1, 2, 1, 0, 0]).run().ok("filed");
    b.pass(5 * SECOND - 1);
    assert_eq!(due(b), Vec::<String>::new());
    b.pass(1);
    assert_eq!(due(b), [ROOM]);
}

pub fn answers_file(b: &Bench) {
    file(b, "awake", [1, 2, 1, 0, 0]).run().ok("filed").wrote_nothing(); // it was never made
    register(b, ROOM).run().ok("registered");
    file(b, "awake", [2, 5, 3, 0, 0]).run().ok("filed");
    let awake = vec!["created 1".to_owned(), "messages 5".into(), "participants 2".into(), "sent 3".into()];
    assert_eq!(counts(b), (1, 0, awake.clone()));
    file(b, "awake", [2, 5, 3, 0, 0]).run().ok("filed").wrote_nothing();
    file(b, "awake", [1, 4, 2, 0, 0]).run().ok("filed").wrote_nothing(); // an earlier look that comes late
    file(b, "asleep", [0, 0, 3, 0, 1]).run().ok("filed");
    let slept = ["created 1", "hibernations 1", "messages 0", "participants 0", "sent 3"];
    assert_eq!(counts(b), (0, 1, slept.map(str::to_owned).to_vec()));
    file(b, "over", [0, 0, 3, 0, 1]).with("reason", "hibernate_expired").run().ok("filed");
    file(b, "over", [0, 0, 3, 0, 1]).with("reason", "hibernate_expired").run().ok("filed").wrote_nothing();
    let over = ["created 1", "hibernations 1", "messages 0", "over_hibernate_expired 1", "participants 0", "sent 3"];
    assert_eq!(counts(b), (0, 0, over.map(str::to_owned).to_vec()));
    register(b, "r2").run().ok("registered");
    file(b, "unknown", [0; 5]).with("id", "r2").run().ok("filed");
    assert_eq!(counts(b).0, 0);
}

pub fn answers_counts(b: &Bench) {
    assert_eq!(counts(b), (0, 0, vec![]));
    register(b, ROOM).run().ok("registered");
    assert_eq!(counts(b).0, 1);
}

#[test]
fn places_of_an_address_end_with_the_longest_life_of_a_room() {
    on_both(|b| {
        b.at(START);
        admit_room(b, "r1").with("per_hour", 0).run().ok("open");
        b.pass(60 * SECOND);
        admit_room(b, "r2").with("per_hour", 0).run().ok("open");
        admit_room(b, "r3").with("per_hour", 0).run().ok("open");
        admit_room(b, "r4").with("per_hour", 0).run().ok("full");
    });
}
