//! lua/rooms/*.lua that work on one room

use crate::support::answer::Answer;
use crate::support::script::{Ask, Bench, CONTENT, SECOND, START, on_both};

/// As the defaults of the bench: idle 10 s and a step of 0.5 s, then 100 s asleep.
const ASLEEP: u64 = 10 * SECOND + SECOND / 2;
const DEAD: u64 = ASLEEP + 100 * SECOND;
const DAY: u64 = 86_400 * SECOND;
/// A lifetime that no other end comes after.
const LONG_MS: u64 = 86_400_000;

fn room(b: &Bench) {
    b.ask("rooms/create").with("life_ms", LONG_MS).run().ok("created");
}

fn join<'a>(b: &'a Bench, participant: &str, name: &str) -> Ask<'a> {
    b.ask("rooms/join").with("participant", participant).with("name", name)
}

fn send<'a>(b: &'a Bench, participant: &str) -> Ask<'a> {
    b.ask("rooms/send").with("participant", participant).on("sent", "s1")
}

fn leave<'a>(b: &'a Bench, participant: &str) -> Ask<'a> {
    b.ask("rooms/leave").with("participant", participant)
}

fn poll<'a>(b: &'a Bench, since: u64) -> Ask<'a> {
    b.ask("rooms/poll").with("since", since)
}

/// (entries, cursor, last word, reset) of a page.
fn page(answer: Answer) -> (Vec<u64>, u64, String, u64) {
    let answer = answer.ok("page");
    (answer.numbers(0), answer.int(1), answer.text(3), answer.int(4))
}

/// Names by participant id, of value `i`.
fn names(answer: &Answer, i: usize) -> Vec<String> {
    let all = answer.texts(i);
    let mut all: Vec<String> = all.chunks(2).map(|p| p[1].split('\u{1f}').nth(5).expect("six parts").to_owned()).collect();
    all.sort();
    all
}

pub fn answers_create(b: &Bench) {
    assert_eq!(b.ask("rooms/create").run().ok("created").int(0), START + 60 * SECOND);
    b.pass(SECOND);
    assert_eq!(b.ask("rooms/create").run().ok("created").wrote_nothing().int(0), START + 60 * SECOND, "its answer was lost");
    b.ask("rooms/create").with("token", "t2").run().ok("taken").wrote_nothing();
}

pub fn answers_join(b: &Bench) {
    join(b, "p1", "a").run().ok("unknown").wrote_nothing();
    room(b);
    join(b, "p1", "a").with("token", "t2").run().ok("unknown").wrote_nothing();
    let first = join(b, "p1", "a").with("key_fp", "abcdef01").run().ok("joined").woke(&["more"]);
    assert_eq!((first.int(0), names(&first, 1), first.int(2), first.text(3)), (1, vec!["a".into()], 0, "192.0.2.1".into()));
    let again = join(b, "p1", "a").run().ok("joined").wrote_nothing();
    assert_eq!((again.int(0), names(&again, 1)), (1, vec!["a".to_owned()]), "asked again, it is the same join");
    join(b, "p2", "a").run().ok("name_taken").wrote_nothing();
    join(b, "p2", "b").run().ok("joined");
    let third = join(b, "p3", "c").run().ok("joined");
    assert_eq!((third.int(0), names(&third, 1)), (3, vec!["a".into(), "b".into(), "c".into()]));
    join(b, "p4", "a").run().ok("channel_full").wrote_nothing();
    b.pass(ASLEEP);
    let woke = join(b, "p5", "a").run().ok("joined");
    assert_eq!((woke.int(0), names(&woke, 1), woke.int(2)), (1, vec!["a".into()], 1), "indexes begin again, nobody else is there");
    b.pass(DEAD);
    let over = join(b, "p6", "d").run().ok("over").wrote_nothing();
    assert_eq!((over.text(0), over.int(1)), ("hibernate_expired".to_owned(), START + ASLEEP + DEAD));
    b.pass(DAY);
    join(b, "p6", "d").run().ok("unknown").wrote_nothing();
}

pub fn answers_send(b: &Bench) {
    send(b, "p1").run().ok("unknown").wrote_nothing();
    room(b);
    send(b, "p1").run().ok("participant_not_in_channel").wrote_nothing();
    join(b, "p1", "a").run().ok("joined");
    send(b, "p1").with("fault", "empty_text").run().ok("bad_text").wrote_nothing();
    send(b, "p2").with("fault", "empty_text").run().ok("participant_not_in_channel");
    let sent = send(b, "p1").run().ok("sent").woke(&["more"]);
    assert_eq!((sent.int(0), sent.after.contains(CONTENT)), (1, true));
    assert_eq!(send(b, "p1").with("once_ms", 600_000).run().ok("sent").int(0), 2);
    assert_eq!(send(b, "p1").with("once_ms", 600_000).run().ok("sent").wrote_nothing().int(0), 2, "the first index again");
    send(b, "p1").with("max_messages", 4).run().ok("sent");
    let over = send(b, "p1").run().ok("over").wrote_nothing();
    assert_eq!((over.text(0), over.int(1)), ("max_messages".to_owned(), START));
    b.pass(DAY);
    b.run::<()>(&["DEL", &b.key_of_room("room")]);
    room(b);
    b.pass(ASLEEP);
    send(b, "p1").run().ok("asleep").wrote_nothing();
}

pub fn answers_poll(b: &Bench) {
    poll(b, 0).run().ok("unknown").wrote_nothing();
    room(b);
    poll(b, 0).run().ok("participant_not_in_channel").wrote_nothing();
    join(b, "p1", "a").run().ok("joined");
    assert_eq!(page(poll(b, 0).run()), (vec![1], 1, String::new(), 0));
    let nothing = poll(b, 1).run().ok("nothing").wrote_nothing();
    assert_eq!((nothing.int(0), names(&nothing, 1), nothing.int(2)), (1, vec!["a".into()], START + DAY));
    send(b, "p1").run().ok("sent");
    assert_eq!(page(poll(b, 1).run()), (vec![2], 2, String::new(), 0));
    poll(b, 9).run().ok("nothing");
    // The store began another history: what was read beyond its end was lost.
    b.run::<()>(&["HSET", &b.key_of_room("room"), "history", "another"]);
    assert_eq!(page(poll(b, 9).run()), (vec![1, 2], 2, String::new(), 1));
    poll(b, 2).run().ok("nothing").wrote_nothing();
    // Also where others have used the lost indexes again: this store gave it no more than two. It is told until it goes on from what it was told.
    send(b, "p1").run().ok("sent");
    send(b, "p1").run().ok("sent");
    for _ in 0..2 {
        assert_eq!(page(poll(b, 3).run()), (vec![1, 2], 2, String::new(), 1));
    }
    assert_eq!(page(poll(b, 2).run()), (vec![3, 4], 4, String::new(), 0));
    b.pass(ASLEEP);
    poll(b, 2).run().ok("asleep").wrote_nothing();
    b.at(START + DAY);
    poll(b, 2).run().ok("over").wrote_nothing();
}

#[test]
fn an_entry_comes_with_the_wake_up_where_somebody_listens_and_who_waits_for_it_has_it_then() {
    on_both(|b| {
        room(b);
        for (participant, name) in [("p1", "a"), ("p2", "b"), ("p3", "c")] {
            join(b, participant, name).run().ok("joined");
        }
        let state = |participant: &str| {
            let record: String = b.run(&["HGET", &b.key_of_room("people"), participant]);
            let parts: Vec<u64> = record.split('\u{1f}').take(4).map(|part| part.parse().expect("a number")).collect();
            (parts[2], parts[3])
        };
        let waits =
            |participant: &str, since: u64| poll(b, since).with("participant", participant).with("park_ms", 5000).run().ok("nothing");
        poll(b, 0).with("participant", "p3").run().ok("page"); // and reads on later
        waits("p1", 3);
        waits("p2", 3);
        send(b, "p1").run().ok("sent").woke(&["more"]);
        assert_eq!((state("p1"), state("p2")), ((b.now() + 5 * SECOND, 3), (b.now() + 5 * SECOND, 3)), "nobody listened");
        poll(b, 3).run().ok("page");
        waits("p1", 4);
        let _listener = b.listener(&b.key_of_room("wake"));
        let sent = send(b, "p1").run().ok("sent");
        let carried: serde_json::Value = serde_json::from_str(&sent.wakes[1]).expect("JSON");
        let at = (b.now() / 1000).to_string();
        assert_eq!((&sent.wakes[0][..], &carried[0], &carried[1], &carried[2]), ("more", &"4".into(), &"message".into(), &at.into()));
        assert_eq!((&carried[3], &carried[4], &carried[5]), (&"a".into(), &CONTENT.into(), &b.now().to_string().into()));
        assert_eq!(carried[6].as_array().map(Vec::len), Some(6), "three who are in the room");
        assert_eq!((state("p1"), state("p2"), state("p3")), ((0, 5), (b.now() + 5 * SECOND, 3), (0, 3)), "only who had read up to it");
        poll(b, 5).run().ok("nothing");
        // What is long, and what ends the room, is looked up.
        send(b, "p1").with("text", "x".repeat(8193)).run().ok("sent").woke(&["all"]);
        send(b, "p1").with("max_messages", 7).run().ok("sent").woke(&["all"]);
    });
}

pub fn answers_leave(b: &Bench) {
    leave(b, "p1").run().ok("unknown").wrote_nothing();
    room(b);
    leave(b, "p1").run().ok("participant_not_in_channel").wrote_nothing();
    join(b, "p1", "a").run().ok("joined");
    join(b, "p2", "b").run().ok("joined");
    leave(b, "p1").with("token", "t2").run().ok("unknown").wrote_nothing();
    leave(b, "p1").run().ok("left").woke(&["more"]);
    leave(b, "p1").run().ok("participant_not_in_channel").wrote_nothing();
    b.pass(3 * SECOND);
    poll(b, 3).with("participant", "p2").run().ok("nothing");
    leave(b, "p2").run().ok("left");
    // Nobody is there: it falls asleep after the linger, and can be joined until then and after.
    b.pass(2 * SECOND - 1);
    assert_eq!(join(b, "p3", "c").run().ok("joined").int(0), 5, "the log goes on");
    leave(b, "p3").run().ok("left");
    b.pass(2 * SECOND);
    leave(b, "p3").run().ok("asleep").wrote_nothing();
    assert_eq!(join(b, "p3", "c").run().ok("joined").int(2), 1);
    b.at(START + DAY);
    leave(b, "p3").run().ok("over").wrote_nothing();
}

pub fn answers_survey(b: &Bench) {
    let survey = || {
        let a = b.ask("rooms/survey").run().ok("room").wrote_nothing();
        (a.text(0), a.text(1), a.int(2) - START, [a.int(3), a.int(4), a.int(5), a.int(6), a.int(7)])
    };
    b.ask("rooms/survey").run().ok("unknown");
    room(b);
    join(b, "p1", "a").run().ok("joined");
    send(b, "p1").run().ok("sent");
    assert_eq!(survey(), ("awake".into(), String::new(), ASLEEP, [1, 2, 1, 0, 0]));
    b.pass(ASLEEP);
    assert_eq!(survey(), ("asleep".into(), String::new(), DEAD, [0, 0, 1, 0, 1]));
    join(b, "p2", "a").run().ok("joined");
    assert_eq!(survey(), ("awake".into(), String::new(), 2 * ASLEEP, [1, 1, 1, 1, 1]));
    join(b, "p3", "c").run().ok("joined");
    leave(b, "p3").run().ok("left");
    assert_eq!(survey(), ("awake".into(), String::new(), 2 * ASLEEP, [1, 3, 1, 1, 1]), "who comes and goes is no text");
    b.pass(DEAD);
    assert_eq!(survey(), ("over".into(), "hibernate_expired".into(), ASLEEP + DEAD, [0, 0, 1, 1, 2]));
}

#[test]
fn whoever_polls_when_the_lifetime_ends_gets_a_last_word_for_five_seconds() {
    on_both(|b| {
        b.ask("rooms/create").with("life_ms", 5000).run().ok("created");
        join(b, "p1", "a").run().ok("joined");
        b.pass(5 * SECOND);
        assert_eq!(page(poll(b, 0).run()), (vec![1], 2, "max_lifetime".into(), 0));
        assert_eq!(page(poll(b, 1).run()), (vec![], 2, "max_lifetime".into(), 0));
        poll(b, 2).run().ok("over"); // it has had the last word
        send(b, "p1").run().ok("over");
        join(b, "p2", "b").run().ok("over");
        b.pass(5 * SECOND - 1);
        assert_eq!(page(poll(b, 1).run()), (vec![], 2, "max_lifetime".into(), 0));
        b.pass(1);
        assert_eq!(poll(b, 1).run().ok("over").text(0), "max_lifetime");
    });
}

#[test]
fn a_room_that_is_full_ends_with_its_last_message() {
    on_both(|b| {
        room(b);
        join(b, "p1", "a").with("max_messages", 3).run().ok("joined");
        send(b, "p1").with("max_messages", 3).run().ok("sent");
        assert_eq!(send(b, "p1").with("max_messages", 3).quietly().run().ok("sent").int(0), 2);
        // What is in it ends after six seconds of Redis' own clock: not before it is read here.
        for suffix in ["log", "people"] {
            assert!((1..=6000).contains(&b.run::<i64>(&["PTTL", &b.key_of_room(suffix)])), "{suffix}");
            b.run::<()>(&["PEXPIRE", &b.key_of_room(suffix), "60000"]);
        }
        assert_eq!(page(poll(b, 1).run()), (vec![2, 3], 4, "max_messages".into(), 0));
    });
}

#[test]
fn who_waits_keeps_the_room_awake_and_its_content_dies_when_it_sleeps() {
    on_both(|b| {
        room(b);
        join(b, "p1", "a").run().ok("joined");
        for _ in 0..5 {
            b.pass(ASLEEP - 1);
            poll(b, 1).with("park_ms", 30_000).run().ok("nothing");
        }
        for suffix in ["log", "people"] {
            let dies: u64 = b.run(&["PEXPIRETIME", &b.key_of_room(suffix)]);
            let asleep = (b.now() + ASLEEP) / 1000;
            assert!((asleep..asleep + 3000).contains(&dies), "{suffix} dies at {dies}, the room sleeps at {asleep}");
        }
    });
}

#[test]
fn a_page_is_about_a_mebibyte_and_goes_on() {
    on_both(|b| {
        room(b);
        join(b, "p1", "a").run().ok("joined");
        for _ in 0..20 {
            send(b, "p1").with("text", "x".repeat(65_000)).quietly().run().ok("sent");
        }
        let (entries, cursor, ..) = page(poll(b, 1).run());
        assert_eq!((entries.len(), cursor), (16, 17));
        assert_eq!(page(poll(b, cursor).run()).1, 21);
    });
}
