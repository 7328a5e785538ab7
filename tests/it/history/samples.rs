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
    let grant = Grant { message: id.into(), attempt, lease_end: Some(start + LEASE), token: None };
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
    };
    Entry { shown: shown.iter().map(one).collect(), ..entry(by, op, start) }
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
    let extended = vec![Grant { message: "m1".into(), attempt: 1, lease_end: Some(1_500_000), token: None }];
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
fn a_waiter_that_is_not_woken_is_seen() {
    rejects_change(Check::WokenInTime, |h| h[10].end += 2_000_000);
}
