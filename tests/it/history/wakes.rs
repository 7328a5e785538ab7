//! Who waits is answered when there is something for it: within a second, and after a fault within a few.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::claims::claims;
use super::expiry::posts_to_be_seen;
use super::record::{Entry, Op};

/// What a lost wake-up may cost after a fault, from the moment on at which everything stands again: the hub compares subscriptions
/// once a second and wakes everybody when it has put them back (docs/architecture.md, "Losses").
const CATCH_UP: u64 = 5_000_000;

/// Somebody waited although there was something for it.
pub struct Wake {
    pub what: String,
    /// How long, µs.
    pub took: u64,
    /// How long it may have taken, µs.
    pub most: u64,
}

/// All those who waited, readers and claimers, and how long there was something for them before they were answered. Without
/// a fault and on an idle machine they are to be answered within `within`.
pub fn wakes(history: &[Entry], within: Duration) -> Vec<Wake> {
    let within = u64::try_from(within.as_micros()).expect("a short time");
    let conditions = Conditions::of(history, within);
    let mut found = readers(history, &conditions);
    found.extend(claimers(history, &conditions));
    found
}

/// A page that is held ends when there is a message that its reader has not seen.
fn readers(history: &[Entry], conditions: &Conditions) -> Vec<Wake> {
    let mut posts: BTreeMap<&str, BTreeMap<&str, &Entry>> = BTreeMap::new();
    for post in posts_to_be_seen(history) {
        posts.entry(&post.channel).or_default().entry(post.message.as_deref().unwrap_or_default()).or_insert(post);
    }
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for page in history.iter().filter(|e| e.op == Op::WaitingPage && e.is_ok()) {
        let seen = seen.entry(&page.by).or_default();
        let unseen = posts.get(page.channel.as_str()).into_iter().flatten().filter(|(id, _)| !seen.contains(*id));
        // What expires before it is seen is no longer there for it.
        let there = unseen.map(|(id, post)| (*id, post.end.max(page.start), page.end.min(post.expires.unwrap_or(u64::MAX))));
        let first = there.filter(|(_, from, to)| from < to).min_by_key(|(_, from, _)| *from);
        if let Some((id, from, to)) = first {
            found.push(conditions.wake(page, id, from, to));
        }
        seen.extend(page.shown.iter().map(|m| m.message.as_str()));
    }
    found
}

/// A claim that is held ends when there is a message that nobody holds.
fn claimers(history: &[Entry], conditions: &Conditions) -> Vec<Wake> {
    let mut free: BTreeMap<&str, Vec<(&str, u64, u64)>> = BTreeMap::new();
    for (message, channel, from, to) in surely_free(history) {
        free.entry(channel).or_default().push((message, from, to));
    }
    let mut found = Vec::new();
    for claim in history.iter().filter(|e| e.op == Op::ClaimNext && e.waits && e.is_ok()) {
        let there = free.get(claim.channel.as_str()).into_iter().flatten();
        let there = there.map(|&(id, from, to)| (id, from.max(claim.start), to.min(claim.end))).filter(|(_, from, to)| from < to);
        if let Some((id, from, to)) = there.max_by_key(|(_, from, to)| to - from) {
            found.push(conditions.wake(claim, id, from, to));
        }
    }
    found
}

/// When a message could surely have been claimed: from the answer to its post, from the answer to a release, from the end of a
/// lease; up to the very next claim, if that one is known. Message, channel, from, to.
fn surely_free(history: &[Entry]) -> Vec<(&str, &str, u64, u64)> {
    let mut posted: BTreeMap<&str, &Entry> = BTreeMap::new();
    for post in history.iter().filter(|e| e.op == Op::Post && e.is_ok()) {
        posted.entry(post.message.as_deref().unwrap_or_default()).or_insert(post);
    }
    let mut free = Vec::new();
    for (message, list) in claims(history) {
        let Some(post) = posted.get(message) else { continue };
        let (mut attempt, mut from) = (0, Some(post.end));
        for claim in list {
            if let (Some(from), Some(to), true) = (from, claim.granted_at, claim.attempt == attempt + 1) {
                free.push((message, post.channel.as_str(), from, to));
            }
            // An ack of unknown outcome, or one on its way: it is not known whether it was free again.
            from =
                claim.released_at.into_iter().chain(Some(claim.at_most_until)).min().filter(|t| *t < u64::MAX && claim.acked_at.is_none());
            attempt = claim.attempt;
        }
    }
    free
}

/// What excuses a late answer.
struct Conditions<'a> {
    within: u64,
    faults: Vec<&'a Entry>,
    pulses: Vec<&'a Entry>,
}

impl<'a> Conditions<'a> {
    fn of(history: &'a [Entry], within: u64) -> Self {
        let mut faults: Vec<_> = history.iter().filter(|e| e.op == Op::Fault).collect();
        faults.sort_by_key(|fault| fault.start);
        Self { within, faults, pulses: history.iter().filter(|e| e.op == Op::Pulse).collect() }
    }

    fn wake(&self, waited: &Entry, message: &str, from: u64, to: u64) -> Wake {
        let (took, most) = (to - from, self.due(waited.replica, from, to) - from);
        let (by, channel) = (&waited.by, &waited.channel);
        Wake { what: format!("{by} waited for {took} µs while {message} was there in {channel}, {most} µs at most"), took, most }
    }

    /// By when who waits at this replica must have been answered, when there is something for it from `from` on.
    fn due(&self, replica: Option<usize>, from: u64, to: u64) -> u64 {
        let slow = self.slow(replica, from, to);
        let mut due = from + self.within + slow;
        for fault in self.faults.iter().filter(|fault| concerns(fault, replica)) {
            if fault.start < due && fault.end + CATCH_UP > from {
                due = due.max(fault.end + CATCH_UP + slow);
            }
        }
        due
    }

    /// How much longer everything took meanwhile than on an idle machine: a wake-up and the read that follows pass Redis, the
    /// replica and the generator twice.
    fn slow(&self, replica: Option<usize>, from: u64, to: u64) -> u64 {
        let mut worst: BTreeMap<&str, u64> = BTreeMap::new();
        for pulse in self.pulses.iter().filter(|p| concerns(p, replica) && p.start < to && p.end > from) {
            let worst = worst.entry(&pulse.by).or_default();
            *worst = (pulse.end - pulse.start).max(*worst);
        }
        2 * worst.values().sum::<u64>()
    }
}

fn concerns(what: &Entry, replica: Option<usize>) -> bool {
    what.replica.is_none() || replica.is_none() || what.replica == replica
}
