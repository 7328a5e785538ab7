//! What cannot have come from a service that keeps its promises. Each check is a pure function over a history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::claims::{SLACK, claims};
use super::expiry::{acked_is_kept, expired_is_gone, readers_see_all};
use super::record::{Entry, Grant, Op, Outcome};
use super::wakes::wakes;

/// A promise, named by what is seen when it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    NothingFails,
    AckedIsKept,
    NothingIsInvented,
    OneHolder,
    AttemptsRise,
    HolderIsHeard,
    OthersAreNot,
    DoneStaysDone,
    AllIsDone,
    ReadersSeeInOrder,
    ReadersSeeAll,
    ExpiredIsGone,
    NoMoreThanAsked,
    OneEffectPerKey,
    OneEffectPerRequest,
    WokenInTime,
}

use Check::{
    AckedIsKept, AllIsDone, AttemptsRise, DoneStaysDone, ExpiredIsGone, HolderIsHeard, NoMoreThanAsked, NothingFails, NothingIsInvented,
    OneEffectPerKey, OneEffectPerRequest, OneHolder, OthersAreNot, ReadersSeeAll, ReadersSeeInOrder, WokenInTime,
};

/// Everything that is wrong with a history; empty when all promises were kept. `woken_within`: how long
/// there may be something for a waiter, where no fault and no busy machine excuses more.
pub fn broken_promises(history: &[Entry], woken_within: Duration) -> Vec<(Check, String)> {
    let all = [
        (NothingFails, nothing_fails(history)),
        (AckedIsKept, acked_is_kept(history)),
        (NothingIsInvented, nothing_is_invented(history)),
        (OneHolder, one_holder(history)),
        (AttemptsRise, attempts_rise(history)),
        (HolderIsHeard, holder_is_heard(history)),
        (OthersAreNot, others_are_not(history)),
        (DoneStaysDone, done_stays_done(history)),
        (AllIsDone, all_is_done(history)),
        (ReadersSeeInOrder, readers_see_in_order(history)),
        (ReadersSeeAll, readers_see_all(history)),
        (ExpiredIsGone, expired_is_gone(history)),
        (NoMoreThanAsked, no_more_than_asked(history)),
        (OneEffectPerKey, one_effect_per_key(history)),
        (OneEffectPerRequest, one_effect_per_request(history)),
        (WokenInTime, woken_in_time(history, woken_within)),
    ];
    all.into_iter().flat_map(|(check, found)| found.into_iter().map(move |what| (check, what))).collect()
}

/// No answer is a 500 or breaks the protocol's envelope.
fn nothing_fails(history: &[Entry]) -> Vec<String> {
    let fault = |e: &Entry| match &e.outcome {
        Outcome::Fault(words) => Some(format!("{:?} by {}: {words}", e.op, e.by)),
        _ => None,
    };
    history.iter().filter_map(fault).collect()
}

/// What is read or claimed was posted, by a request that was not refused.
fn nothing_is_invented(history: &[Entry]) -> Vec<String> {
    let posted: BTreeSet<_> =
        history.iter().filter(|e| e.op == Op::Post && e.may_have_acted()).filter_map(|e| e.content.as_deref()).collect();
    let shown: BTreeSet<_> = history.iter().flat_map(|e| &e.shown).map(|m| (&m.content, &m.message)).collect();
    let invented = shown.into_iter().filter(|(content, _)| !posted.contains(content.as_str()));
    invented.map(|(content, message)| format!("{message} ({content}) is shown, but was refused or never posted")).collect()
}

/// While one claim surely holds, no other is granted.
fn one_holder(history: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    for list in claims(history).values() {
        for (i, early) in list.iter().enumerate() {
            for late in list[i + 1..].iter().filter(|late| late.end + SLACK < early.surely_until && late.end > early.start) {
                let (a, b) = (early.attempt, late.attempt);
                found.push(format!("{}: {} took it (attempt {b}) while {} held it (attempt {a})", late.message, late.by, early.by));
            }
        }
    }
    found
}

/// Attempts of a message are its claims, numbered in their order; one that no claimer knows of needs a claim of unknown outcome.
fn attempts_rise(history: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    let mut unknown_to_all = 0;
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for shown in history.iter().filter(|e| e.op == Op::FinalPage).flat_map(|e| &e.shown) {
        highest.insert(&shown.message, shown.attempt);
    }
    for (message, list) in claims(history) {
        for pair in list.windows(2) {
            if pair[0].attempt == pair[1].attempt {
                found.push(format!("{message}: attempt {} of both {} and {}", pair[0].attempt, pair[0].by, pair[1].by));
            } else if pair[1].end < pair[0].start {
                found.push(format!("{message}: attempt {} came before attempt {}", pair[1].attempt, pair[0].attempt));
            }
        }
        let known: BTreeSet<_> = list.iter().map(|c| c.attempt).collect();
        if known.contains(&0) {
            found.push(format!("{message}: attempts begin at 1"));
        }
        let top = highest.remove(message).unwrap_or(0).max(known.last().copied().unwrap_or(0));
        unknown_to_all += top - known.len() as u64;
    }
    unknown_to_all += highest.values().sum::<u64>();
    let explained: u64 = history.iter().filter(|e| e.is_claim() && e.may_have_acted() && !e.is_ok()).map(|e| e.max).sum();
    if unknown_to_all > explained {
        found.push(format!("{unknown_to_all} attempts are nobody's, claims of unknown outcome explain {explained}"));
    }
    found
}

/// A holder may ack, release and extend its lease as long as it runs.
fn holder_is_heard(history: &[Entry]) -> Vec<String> {
    let claims = claims(history);
    let refused = history.iter().filter_map(|e| match &e.outcome {
        Outcome::Refused(code) => Some((e, code)),
        _ => None,
    });
    let mut found = Vec::new();
    for (entry, code) in refused {
        let list = claims.get(entry.message.as_deref().unwrap_or_default()).into_iter().flatten();
        for claim in list.filter(|c| Some(c.attempt) == entry.attempt && c.by == entry.by) {
            if entry.end + SLACK < claim.surely_until {
                found.push(format!("{}: {:?} of {} was refused ({code}) while it held it", claim.message, entry.op, entry.by));
            }
        }
    }
    found
}

/// Who holds nothing, or no longer, can neither ack nor release nor extend: a forged token, after a release, after the
/// end of the lease, after another's claim.
fn others_are_not(history: &[Entry]) -> Vec<String> {
    let claims = claims(history);
    let mut found = Vec::new();
    for entry in history.iter().filter(|e| e.is_ok() && matches!(e.op, Op::Heartbeat | Op::Release | Op::Ack)) {
        let (message, attempt) = (entry.message.as_deref().unwrap_or_default(), entry.attempt.unwrap_or_default());
        let list = claims.get(message).map_or(&[][..], Vec::as_slice);
        let mut wrong = |why: String| found.push(format!("{message}: {:?} of {} was accepted {why}", entry.op, entry.by));
        if attempt == 0 {
            wrong("with a forged token".into());
            continue;
        }
        let Some(claim) = list.iter().find(|c| c.attempt == attempt) else {
            wrong(format!("for attempt {attempt}, which nobody was given"));
            continue;
        };
        if claim.released_at.is_some_and(|t| t < entry.start) {
            wrong("after its release".into());
        }
        // Asking for the same ack again is no fault, whenever.
        let asked_before = |e: &Entry| {
            e.op == Op::Ack && e.may_have_acted() && e.start < entry.start && e.message == entry.message && e.attempt == entry.attempt
        };
        let again = history.iter().any(asked_before);
        if again && entry.op == Op::Ack {
            continue;
        }
        if claim.acked_at.is_some_and(|t| t < entry.start) {
            wrong("after its ack".into());
        }
        if claim.at_most_until.saturating_add(SLACK) < entry.start {
            wrong("after the end of its lease".into());
        }
        if let Some(next) = list.iter().find(|c| c.attempt > attempt && c.end < entry.start) {
            wrong(format!("although {} had taken it (attempt {})", next.by, next.attempt));
        }
    }
    found
}

/// What was acked is never claimed again, and shows as done.
fn done_stays_done(history: &[Entry]) -> Vec<String> {
    let mut done: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in history.iter().filter(|e| e.op == Op::Ack && e.is_ok()) {
        let time = done.entry(entry.message.as_deref().unwrap_or_default()).or_insert(entry.end);
        *time = entry.end.min(*time);
    }
    let mut found = Vec::new();
    for claim in claims(history).values().flatten() {
        if done.get(claim.message).is_some_and(|&t| t < claim.start) {
            found.push(format!("{}: claimed by {} (attempt {}) after its ack", claim.message, claim.by, claim.attempt));
        }
    }
    for shown in history.iter().filter(|e| e.op == Op::FinalPage).flat_map(|e| &e.shown) {
        if done.contains_key(shown.message.as_str()) && shown.state != "done" {
            found.push(format!("{}: acked, but shows as {}", shown.message, shown.state));
        }
    }
    found
}

/// In the end everything that can be read has been claimed and acked: nothing is stuck.
fn all_is_done(history: &[Entry]) -> Vec<String> {
    let shown = history.iter().filter(|e| e.op == Op::FinalPage).flat_map(|e| &e.shown);
    let open: BTreeSet<_> = shown.filter(|m| m.state != "done").map(|m| (&m.message, &m.state, m.attempt)).collect();
    open.into_iter().map(|(message, state, attempt)| format!("{message}: cannot be done, {state} after attempt {attempt}")).collect()
}

/// Each reader sees messages in the order of their times, each once.
fn readers_see_in_order(history: &[Entry]) -> Vec<String> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in history.iter().filter(|e| matches!(e.op, Op::Page | Op::WaitingPage | Op::FinalPage)) {
        for shown in &entry.shown {
            if let Some(before) = last.insert(&entry.by, &shown.created_at).filter(|before| *before >= shown.created_at.as_str()) {
                found.push(format!("{}: {} of {} after one of {before}", entry.by, shown.message, shown.created_at));
            }
        }
    }
    found
}

/// Who asks for so many messages is given and shown no more.
fn no_more_than_asked(history: &[Entry]) -> Vec<String> {
    let given = |e: &Entry| e.grants.len().max(e.shown.len()) as u64;
    let counted = history.iter().filter(|e| e.op == Op::ClaimNext || !e.shown.is_empty());
    counted.filter(|e| given(e) > e.max).map(|e| format!("{} asked for {} and got {}", e.by, e.max, given(e))).collect()
}

/// All that is answered to one Idempotency-Key is one effect: one message posted; one claim, as long as it holds.
fn one_effect_per_key(history: &[Entry]) -> Vec<String> {
    let mut by_key: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in history.iter().filter(|e| e.is_ok()) {
        if let Some(key) = &entry.key {
            by_key.entry(key).or_default().push(entry);
        }
    }
    let claims = claims(history);
    let mut found = Vec::new();
    for (key, entries) in by_key {
        let contents: BTreeSet<_> = entries.iter().filter_map(|e| e.content.as_deref()).collect();
        let messages: BTreeSet<_> = entries.iter().filter_map(|e| e.message.as_deref()).collect();
        if contents.len() > 1 || (entries[0].op == Op::Post && messages.len() > 1) {
            found.push(format!("{key}: answered for {contents:?} with {messages:?}"));
        }
        for pair in entries.windows(2).filter(|pair| pair[0].is_claim()) {
            let among = |grants: &[Grant], one: &Grant| grants.iter().any(|g| g.message == one.message && g.attempt == one.attempt);
            let is_held = |grant: &&Grant| {
                let of_message = claims.get(grant.message.as_str()).into_iter().flatten();
                of_message.filter(|c| c.attempt == grant.attempt).any(|c| pair[1].end + SLACK < c.surely_until)
            };
            let held: Vec<_> = pair[0].grants.iter().filter(is_held).collect();
            let more = pair[1].grants.iter().any(|grant| !among(&pair[0].grants, grant));
            if !held.is_empty() && (more || held.iter().any(|grant| !among(&pair[1].grants, grant))) {
                found.push(format!("{key}: claimed {:?} and, while that was held, {:?}", pair[0].grants, pair[1].grants));
            }
        }
    }
    found.extend(posted_twice(history, true));
    found
}

/// A request without Idempotency-Key is done at most once, whatever became of its answer.
fn one_effect_per_request(history: &[Entry]) -> Vec<String> {
    posted_twice(history, false)
}

fn posted_twice(history: &[Entry], with_key: bool) -> Vec<String> {
    let posts = history.iter().filter(|e| e.op == Op::Post && e.key.is_some() == with_key);
    let contents: BTreeSet<_> = posts.filter_map(|e| e.content.as_deref()).collect();
    let mut messages: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for shown in history.iter().flat_map(|e| &e.shown).filter(|m| contents.contains(m.content.as_str())) {
        messages.entry(&shown.content).or_default().insert(&shown.message);
    }
    let twice = messages.into_iter().filter(|(_, ids)| ids.len() > 1);
    twice.map(|(content, ids)| format!("{content} was posted once and is there as {ids:?}")).collect()
}

/// Who waits for messages, to read or to claim, is woken when there is one.
fn woken_in_time(history: &[Entry], within: Duration) -> Vec<String> {
    wakes(history, within).into_iter().filter(|wake| wake.took > wake.most).map(|wake| wake.what).collect()
}
