//! Histories made by hand: a good one that passes, and for each check one that it alone, or it among others, rejects.

use std::time::Duration;

use super::check::{Check, broken_promises};
use super::record::{Entry, Grant, Op, Outcome, Shown};

/// A lease of the samples, µs.
const LEASE: u64 = 1_000_000;

fn entry(by: &str, op: Op, start: u64) -> Entry {
    Entry { max: 1, start, end: start + 1000, ..Entry::new(by, op) }
}

fn post(content: &str, id: &str, start: u64) -> Entry {
    Entry { content: Some(content.into()), message: Some(id.into()), ..entry("poster", Op::Post, start) }
}

fn claim(by: &str, id: &str, attempt: u64, start: u64) -> Entry {
    let grant = Grant { message: id.into(), attempt, lease_end: Some(start + LEASE), claimed_at: Some(start), ..Grant::default() };
    Entry { grants: vec![grant], ..entry(by, Op::ClaimNext, start) }
}

fn on(by: &str, op: Op, id: &str, attempt: u64, start: u64) -> Entry {
    Entry { message: Some(id.into()), attempt: Some(attempt), ..entry(by, op, start) }
}

fn page(by: &str, op: Op, shown: &[(&str, &str, u64)], start: u64) -> Entry {
    let one = |&(content, message, attempt): &(&str, &str, u64)| Shown {
        message: message.into(),
        content: content.into(),
        created_at: message.into(),
        state: "done".into(),
        attempt,
        expires: None,
    };
    Entry { max: 100, shown: shown.iter().map(one).collect(), ..entry(by, op, start) }
}

/// Two messages: m1 is claimed, its lease ends, it is claimed again and acked; m2 is claimed, released, claimed and acked.
fn good() -> Vec<Entry> {
    let all = [("a", "m1", 2), ("b", "m2", 2)];
    vec![
        post("a", "m1", 0),
        post("b", "m2", 2000),
        claim("x", "m1", 1, 10_000),
        claim("y", "m2", 1, 20_000),
        on("y", Op::Release, "m2", 1, 30_000),
        claim("x", "m2", 2, 40_000),
        on("x", Op::Ack, "m2", 2, 50_000),
        claim("y", "m1", 2, 1_100_000),
        on("y", Op::Ack, "m1", 2, 1_200_000),
        page("reader", Op::WaitingPage, &all[..1], 500),
        page("reader", Op::WaitingPage, &all[1..], 2500),
        page("final", Op::FinalPage, &all, 2_000_000),
    ]
}

fn refused(entry: Entry, code: &str) -> Entry {
    Entry { outcome: Outcome::Refused(code.into()), ..entry }
}

fn found(history: &[Entry]) -> Vec<Check> {
    let mut checks: Vec<Check> = broken_promises(history, Duration::from_secs(1)).into_iter().map(|(check, _)| check).collect();
    checks.dedup();
    checks
}

/// The good history with something added is rejected by this check.
#[track_caller]
fn rejects(check: Check, what: Entry) {
    let mut history = good();
    history.push(what);
    assert!(found(&history).contains(&check), "{check:?} not among {:?}", found(&history));
}

/// The good history with something changed is rejected by this check.
#[track_caller]
fn rejects_change(check: Check, change: impl Fn(&mut Vec<Entry>)) {
    let mut history = good();
    change(&mut history);
    assert!(found(&history).contains(&check), "{check:?} not among {:?}", found(&history));
}

#[test]
fn a_good_history_passes() {
    assert_eq!(found(&good()), []);
}

#[test]
fn a_fault_is_seen() {
    rejects(Check::NothingFails, Entry { outcome: Outcome::Fault("500".into()), ..post("c", "m3", 0) });
}

#[test]
fn a_lost_message_is_seen() {
    rejects(Check::AckedIsKept, post("c", "m3", 0));
    rejects_change(Check::AckedIsKept, |h| drop(h.last_mut().unwrap().shown.pop()));
}

#[test]
fn a_message_that_may_have_been_retracted_need_not_be_found() {
    let mut history = good();
    history.push(post("c", "m3", 0));
    history.push(Entry { message: Some("m3".into()), outcome: Outcome::Unknown("lost".into()), ..entry("poster", Op::Retract, 5000) });
    assert_eq!(found(&history), []);
}

#[test]
fn a_message_that_nobody_posted_or_that_was_refused_is_seen() {
    rejects(Check::NothingIsInvented, page("other", Op::FinalPage, &[("c", "m3", 0)], 0));
    rejects_change(Check::NothingIsInvented, |h| h[0].outcome = Outcome::Refused("channel_paused".into()));
    rejects_change(Check::NothingIsInvented, |h| h[0].outcome = Outcome::Unavailable("storage_unavailable".into()));
}

#[test]
fn a_second_holder_is_seen() {
    rejects(Check::OneHolder, claim("z", "m1", 3, 500_000));
    // A heartbeat makes the lease longer.
    let extended = vec![Grant { message: "m1".into(), attempt: 1, lease_end: Some(1_500_000), ..Grant::default() }];
    rejects(Check::OneHolder, Entry { grants: extended, ..on("x", Op::Heartbeat, "m1", 1, 900_000) });
    // The release that let the second one in never happened.
    rejects_change(Check::OneHolder, |h| h[4].outcome = Outcome::Refused("forbidden".into()));
    rejects_change(Check::OneHolder, |h| drop(h.remove(4)));
}

#[test]
fn a_release_of_unknown_outcome_may_have_let_another_in() {
    let mut history = good();
    history[4].outcome = Outcome::Unknown("outcome_unknown".into());
    assert_eq!(found(&history), []);
}

#[test]
fn attempts_that_do_not_rise_or_are_nobodys_are_seen() {
    rejects(Check::AttemptsRise, claim("z", "m1", 2, 5_000_000));
    rejects_change(Check::AttemptsRise, |h| (h[2].grants[0].attempt, h[7].grants[0].attempt) = (2, 1));
    rejects_change(Check::AttemptsRise, |h| h.last_mut().unwrap().shown[0].attempt = 3);
    rejects_change(Check::AttemptsRise, |h| drop(h.remove(2)));
}

#[test]
fn a_claim_of_unknown_outcome_explains_an_attempt_that_is_nobodys() {
    let mut history = good();
    history[2].outcome = Outcome::Unknown("timeout".into());
    history[2].grants.clear();
    assert_eq!(found(&history), []);
}

#[test]
fn a_holder_that_is_refused_is_seen() {
    rejects(Check::HolderIsHeard, refused(on("x", Op::Heartbeat, "m1", 1, 500_000), "lease_expired"));
    let mut history = good();
    history.push(refused(on("x", Op::Heartbeat, "m1", 1, 1_050_000), "lease_expired"));
    assert_eq!(found(&history), [], "its lease is over");
}

#[test]
fn others_that_are_heard_are_seen() {
    rejects(Check::OthersAreNot, on("x", Op::Heartbeat, "m1", 0, 500_000)); // forged
    rejects(Check::OthersAreNot, on("x", Op::Heartbeat, "m1", 1, 1_050_000)); // its lease is over
    rejects(Check::OthersAreNot, on("x", Op::Ack, "m1", 1, 1_150_000)); // y has it
    rejects(Check::OthersAreNot, on("y", Op::Heartbeat, "m2", 1, 35_000)); // released
    rejects(Check::OthersAreNot, on("x", Op::Release, "m2", 2, 60_000)); // acked
    let mut history = good();
    history.push(on("x", Op::Ack, "m2", 2, 5_000_000));
    assert_eq!(found(&history), [], "asking for the same ack again is no fault");
}

#[test]
fn something_done_that_comes_back_is_seen() {
    rejects(Check::DoneStaysDone, claim("z", "m2", 3, 60_000));
    rejects_change(Check::DoneStaysDone, |h| h.last_mut().unwrap().shown[0].state = "open".into());
}

#[test]
fn something_that_cannot_be_done_is_seen() {
    rejects_change(Check::AllIsDone, |h| h.last_mut().unwrap().shown[0].state = "claimed".into());
}

#[test]
fn a_reader_that_sees_twice_or_out_of_order_is_seen() {
    rejects(Check::ReadersSeeInOrder, page("reader", Op::WaitingPage, &[("b", "m2", 2)], 5000));
    rejects(Check::ReadersSeeInOrder, page("other", Op::Page, &[("b", "m2", 2), ("a", "m1", 2)], 5000));
}

#[test]
fn a_reader_that_misses_a_message_is_seen() {
    rejects_change(Check::ReadersSeeAll, |h| drop(h.remove(9)));
}

#[test]
fn a_key_with_two_effects_is_seen() {
    let keyed = |entry: Entry| Entry { key: Some("k".into()), ..entry };
    // Two messages of one key.
    rejects_change(Check::OneEffectPerKey, |h| h.extend([keyed(post("c", "m3", 0)), keyed(post("c", "m4", 0))]));
    // The first answer given to another request.
    rejects_change(Check::OneEffectPerKey, |h| h.extend([keyed(post("c", "m3", 0)), keyed(post("d", "m3", 0))]));
    // One message answered, two there.
    let both = [("c", "m3", 0), ("c", "m4", 0)];
    rejects_change(Check::OneEffectPerKey, |h| h.extend([keyed(post("c", "m3", 0)), page("other", Op::Page, &both, 9000)]));
    // Two claims of one key while the first one holds.
    rejects_change(Check::OneEffectPerKey, |h| h.extend([keyed(claim("z", "m5", 1, 0)), keyed(claim("z", "m6", 1, 5000))]));
    let mut history = good();
    history[2].key = Some("k".into());
    history[7].key = Some("k".into());
    assert_eq!(found(&history), [], "a claim that is over is decided anew");
}

#[test]
fn a_request_with_two_effects_is_seen() {
    rejects(Check::OneEffectPerRequest, page("other", Op::Page, &[("a", "m1", 2), ("a", "m3", 0)], 9000));
}

#[test]
fn a_key_that_gives_only_a_part_again_is_seen() {
    let two = |start: u64, ids: &[&str]| {
        let grants = ids.iter().flat_map(|id| claim("z", id, 1, start).grants).collect();
        Entry { key: Some("k".into()), max: 2, grants, ..claim("z", "m3", 1, start) }
    };
    rejects_change(Check::OneEffectPerKey, |h| h.extend([two(0, &["m3", "m4"]), two(5000, &["m3"])]));
    rejects_change(Check::OneEffectPerKey, |h| h.extend([two(0, &["m3"]), two(5000, &["m3", "m4"])]));
    let mut history = good();
    history.extend([two(0, &["m3", "m4"]), two(5000, &["m4", "m3"])]);
    assert!(!found(&history).contains(&Check::OneEffectPerKey));
}

#[test]
fn more_than_was_asked_for_is_seen() {
    rejects_change(Check::NoMoreThanAsked, |h| h[2].max = 0);
    rejects_change(Check::NoMoreThanAsked, |h| h[9].max = 0);
}

/// A message that expired at 900,000.
fn brief() -> Entry {
    Entry { expires: Some(900_000), ..post("c", "m3", 100_000) }
}

#[test]
fn a_message_that_expired_is_looked_for_in_the_history() {
    let archived = page("final", Op::HistoryPage, &[("c", "m3", 0)], 2_000_000);
    let mut history = good();
    history.push(brief());
    assert_eq!(found(&history), [Check::AckedIsKept]);
    history.push(archived);
    assert_eq!(found(&history), [], "its readers may have come too late");
    // One that had the time and the room.
    history.push(page("reader", Op::WaitingPage, &[], 300_000));
    assert_eq!(found(&history), [Check::ReadersSeeAll]);
    history.last_mut().unwrap().max = 0;
    assert_eq!(found(&history), []);
}

#[test]
fn something_expired_that_is_shown_or_given_is_seen() {
    let expires = |mut entry: Entry, at: u64| {
        entry.shown.iter_mut().for_each(|shown| shown.expires = Some(at));
        entry.grants.iter_mut().for_each(|grant| grant.expires = Some(at));
        entry
    };
    rejects(Check::ExpiredIsGone, expires(page("other", Op::Page, &[("c", "m3", 0)], 1_000_000), 900_000));
    rejects(Check::ExpiredIsGone, expires(page("other", Op::HistoryPage, &[("c", "m3", 0)], 700_000), 900_000));
    rejects(Check::ExpiredIsGone, expires(claim("z", "m3", 1, 1_000_000), 900_000));
    let mut history = good();
    history.push(expires(claim("z", "m3", 1, 800_000), 900_000));
    history.push(refused(on("z", Op::Ack, "m3", 1, 1_000_000), "message_expired"));
    assert!(!found(&history).contains(&Check::HolderIsHeard), "{:?}", found(&history));
}

#[test]
fn a_waiter_that_is_not_woken_is_seen() {
    let late = |h: &mut Vec<Entry>| h[10].end += 2_000_000;
    rejects_change(Check::WokenInTime, late);
    // Also when it is answered with nothing in the end.
    rejects_change(Check::WokenInTime, |h| {
        let empty = Entry { end: 1_800_000, ..page("reader", Op::WaitingPage, &[], 2100) };
        h[10].start = 1_900_000;
        h[10].end = 1_901_000;
        h.insert(10, empty);
    });
    let excused = |op: Op, by: &str, replica: Option<usize>, start: u64, end: u64| {
        let mut history = good();
        late(&mut history);
        history[10].replica = Some(0);
        history.push(Entry { by: by.into(), replica, end, ..entry("", op, start) });
        found(&history)
    };
    assert_eq!(excused(Op::Fault, "cut", None, 1000, 500_000), [], "what was lost is made up for a while after a fault");
    assert_eq!(excused(Op::Fault, "killed", Some(1), 1000, 500_000), [Check::WokenInTime], "another replica's fault");
    assert_eq!(excused(Op::Fault, "cut", None, 1_500_000, 1_600_000), [Check::WokenInTime], "a fault that came too late");
    assert_eq!(excused(Op::Pulse, "redis", None, 100_000, 700_000), [], "the machine was busy");
    assert_eq!(excused(Op::Pulse, "redis", None, 100_000, 200_000), [Check::WokenInTime], "not that busy");
}

#[test]
fn a_claimer_that_is_not_woken_is_seen() {
    // m2 is free again from 31,000 on, m1 when its lease ends at 1,010,000.
    let waiting = |start: u64, end: u64| Entry { waits: true, end, ..entry("w", Op::ClaimNext, start) };
    let mut history = good();
    history.push(waiting(0, 1_900_000));
    assert_eq!(found(&history), [], "somebody took it in time");
    let later = |by: u64| {
        move |h: &mut Vec<Entry>| {
            h.iter_mut().skip(5).for_each(|e| {
                (e.start, e.end) = (e.start + by, e.end + by);
                e.grants.iter_mut().for_each(|g| (g.claimed_at, g.lease_end) = (g.claimed_at.map(|t| t + by), g.lease_end.map(|t| t + by)));
            });
            h[9].start = 500;
            h[9].end = 1500;
            h[10].start = 2500;
            h[10].end = 3500;
            h.push(waiting(32_000, 2_500_000));
        }
    };
    rejects_change(Check::WokenInTime, later(1_100_000));
    let mut history = good();
    later(500_000)(&mut history);
    assert_eq!(found(&history), []);
}
