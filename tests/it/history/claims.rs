//! Who surely had a message, and when: read out of a history, by the clocks of those who asked.

use std::collections::BTreeMap;

use super::record::{Entry, Op};

/// What a clock may be corrected by while a test runs, µs.
pub const SLACK: u64 = 20_000;

/// A claim as its holder knows it.
pub struct Claim<'a> {
    pub message: &'a str,
    pub attempt: u64,
    pub by: &'a str,
    /// Idempotency-Key.
    key: Option<&'a str>,
    /// It was not granted before this, nor after `end`.
    pub start: u64,
    pub end: u64,
    /// When it was granted, by Redis' clock.
    pub granted_at: Option<u64>,
    /// Up to here nobody else can have had the message: the end of the lease or of the message, or when an ack or release was begun.
    pub surely_until: u64,
    /// From here on it cannot have held any more.
    pub at_most_until: u64,
    pub released_at: Option<u64>,
    pub acked_at: Option<u64>,
}

/// Claims of each message, by attempt; the same one answered twice to the same claimer counts once.
pub fn claims(history: &[Entry]) -> BTreeMap<&str, Vec<Claim<'_>>> {
    let mut claims: BTreeMap<&str, Vec<Claim<'_>>> = BTreeMap::new();
    for entry in history.iter().filter(|e| e.is_claim() && e.is_ok()) {
        for grant in &entry.grants {
            let of_message = claims.entry(&grant.message).or_default();
            let end_of_lease = grant.lease_end.unwrap_or(u64::MAX);
            // Asked for again, by its key or (without a lease) by its actor.
            let again = entry.key.is_some() || grant.lease_end.is_none();
            let same = |c: &&Claim| c.attempt == grant.attempt && c.by == entry.by && c.key == entry.key.as_deref();
            if again && of_message.iter().any(|c| same(&c)) {
                continue;
            }
            of_message.push(Claim {
                message: &grant.message,
                attempt: grant.attempt,
                by: &entry.by,
                key: entry.key.as_deref(),
                start: first_asked(history, entry),
                end: entry.end,
                granted_at: grant.claimed_at,
                surely_until: end_of_lease.min(grant.expires.unwrap_or(u64::MAX)),
                at_most_until: end_of_lease,
                released_at: None,
                acked_at: None,
            });
        }
    }
    for entry in history {
        let (Some(message), Some(attempt)) = (&entry.message, entry.attempt) else { continue };
        let of_message = claims.get_mut(message.as_str()).into_iter().flatten();
        for claim in of_message.filter(|c| c.attempt == attempt) {
            match entry.op {
                Op::Heartbeat => {
                    for (end, expires) in entry.grants.iter().filter_map(|g| Some((g.lease_end?, g.expires.unwrap_or(u64::MAX)))) {
                        claim.surely_until = claim.surely_until.max(end.min(expires));
                        claim.at_most_until = claim.at_most_until.max(end);
                    }
                    if entry.may_have_acted() && !entry.is_ok() {
                        claim.at_most_until = u64::MAX; // it may still be under way
                    }
                }
                Op::Release if entry.is_ok() => claim.released_at = Some(claim.released_at.map_or(entry.end, |t| t.min(entry.end))),
                Op::Ack if entry.is_ok() => claim.acked_at = Some(claim.acked_at.map_or(entry.end, |t| t.min(entry.end))),
                _ => {}
            }
        }
    }
    for entry in history.iter().filter(|e| matches!(e.op, Op::Release | Op::Ack) && e.may_have_acted()) {
        let of_message = claims.get_mut(entry.message.as_deref().unwrap_or_default()).into_iter().flatten();
        for claim in of_message.filter(|c| Some(c.attempt) == entry.attempt) {
            claim.surely_until = claim.surely_until.min(entry.start);
        }
    }
    claims.values_mut().for_each(|list| list.sort_by_key(|c| (c.attempt, c.end)));
    claims
}

/// When a claimer asked for this the first time: an earlier try of unknown outcome may be the one that was granted.
fn first_asked(history: &[Entry], entry: &Entry) -> u64 {
    let same = |e: &&Entry| match (&entry.key, entry.op) {
        (Some(_), _) => e.key == entry.key,
        (None, Op::Claim) => e.op == Op::Claim && e.by == entry.by && e.message == entry.message,
        _ => false,
    };
    history.iter().filter(same).map(|e| e.start).fold(entry.start, u64::min)
}
