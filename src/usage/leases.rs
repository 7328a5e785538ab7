//! How many leases of one key run, on all channels, so that one key alone cannot hold them without end.
//!
//! A replica remembers which leases it gave, moved and saw end, and tells Redis every few seconds, where the key has a set of those that
//! run. What was given and has ended in between is not told at all. So a claim costs nothing more, unless its key is near the limit: then
//! the replica tells first, and hears how many there are. Everything it tells may be told twice; a lease that nobody tells of goes with its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use futures::StreamExt;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};

use super::tally::Board;
use super::{FLUSHED_AT_ONCE, of_a_read};
use crate::app::App;
use crate::claims::MAX_LEASE_S;
use crate::claims::record::ClaimRecord;
use crate::error::{ApiError, Code, Result};
use crate::ids::{KeyId, MessageId, Micros};
use crate::store::scripts;

/// Most changes that are kept between two flushes, of all keys together; further ones are not told.
const CHANGES: usize = 262_144;
/// Most keys that are remembered as being near the limit; further ones are let through until some are forgotten.
const KEYS: usize = 65_536;
/// Most leases that one call takes.
const AT_ONCE: u64 = 10;
/// Most changes that one script takes in: with 512 it held Redis up for 1.5 to 3 ms.
const A_STEP: usize = 64;

/// What became of leases, and which keys are near the limit.
pub struct Leases {
    /// 0: no limit, and nothing is kept.
    most: u64,
    pending: Board<KeyId, Pending>,
    changes: AtomicUsize,
    /// Until when that may be so without another word.
    near: RwLock<HashMap<KeyId, Micros>>,
}

/// What Redis was not told of one key's leases yet.
#[derive(Default)]
struct Pending {
    leases: HashMap<u64, Change>,
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Given since the last flush, until then.
    Given(Micros),
    /// Known to Redis, or to another replica; it runs until then.
    Moved(Micros),
    Ended,
}

impl Pending {
    fn note(&mut self, lease: u64, change: Change) {
        match (self.leases.get(&lease), change) {
            (Some(Change::Given(_)), Change::Ended) => {
                self.leases.remove(&lease); // nobody heard of it
                self.given -= 1;
            }
            (Some(Change::Given(_)), Change::Moved(end)) => {
                self.leases.insert(lease, Change::Given(end));
            }
            (Some(Change::Ended), _) => {}
            _ => {
                self.given += usize::from(matches!(change, Change::Given(_)));
                self.leases.insert(lease, change);
            }
        }
    }
}

impl Leases {
    /// `most`: leases that a key may have; 0: no limit.
    pub fn new(most: u64) -> Self {
        Self { most, pending: Board::default(), changes: AtomicUsize::new(0), near: RwLock::default() }
    }

    /// The key took a message; under a lease, if the record says so.
    pub fn given(&self, key: &KeyId, id: &MessageId, record: &ClaimRecord) {
        if let Some(end) = record.lease_until {
            self.note(key, id, record.attempt, Change::Given(end));
        }
    }

    /// A heartbeat moved the end of a lease.
    pub fn moved(&self, key: &KeyId, id: &MessageId, record: &ClaimRecord) {
        if let Some(end) = record.lease_until {
            self.note(key, id, record.attempt, Change::Moved(end));
        }
    }

    /// A message that the key held under a lease was acknowledged, or given back.
    pub fn ended(&self, key: &KeyId, id: &MessageId, attempt: u64) {
        self.note(key, id, attempt, Change::Ended);
    }

    fn note(&self, key: &KeyId, id: &MessageId, attempt: u64, change: Change) {
        if self.most == 0 {
            return;
        }
        let (lease, has_room) = (short(id, attempt), self.changes.load(Relaxed) < CHANGES);
        let given = self.pending.change(key, |pending| {
            let before = pending.leases.len();
            if has_room || pending.leases.contains_key(&lease) {
                pending.note(lease, change);
            }
            match pending.leases.len() {
                more if more > before => self.changes.fetch_add(1, Relaxed),
                less if less < before => self.changes.fetch_sub(1, Relaxed),
                _ => 0,
            };
            pending.given as u64
        });
        // So many that nobody knows whether it may have more.
        if matches!(change, Change::Given(_)) && given.is_some_and(|given| given >= (self.most / 10).max(1)) {
            self.remember(key, Micros(0));
        }
    }

    fn take(&self, key: &KeyId) -> Vec<(u64, Change)> {
        self.taken(self.pending.take(key))
    }

    /// What Redis was not told yet, by key.
    fn take_all(&self) -> Vec<(KeyId, Vec<(u64, Change)>)> {
        let all = self.pending.take_all().into_iter();
        all.map(|(key, pending)| (key, self.taken(pending))).filter(|(_, changes)| !changes.is_empty()).collect()
    }

    fn taken(&self, pending: Pending) -> Vec<(u64, Change)> {
        self.changes.fetch_sub(pending.leases.len(), Relaxed);
        pending.leases.into_iter().collect()
    }

    /// Keeps for the next time what Redis may not have heard, unless more became of it meanwhile.
    fn put_back(&self, key: &KeyId, changes: &[(u64, Change)]) {
        self.pending.change(key, |pending| {
            let before = pending.leases.len();
            for &(lease, change) in changes {
                let told = if let Change::Given(end) = change { Change::Moved(end) } else { change };
                pending.leases.entry(lease).or_insert(told);
            }
            self.changes.fetch_add(pending.leases.len() - before, Relaxed);
        });
    }

    /// Takes in how many leases of the key run.
    fn heard(&self, key: &KeyId, running: u64, now: Micros) {
        if self.most > 0 && running + (self.most / 10).max(AT_ONCE) >= self.most {
            self.remember(key, now);
        } else if self.is_near(key) {
            self.near.write().remove(key);
        }
    }

    /// `now` 0: until it is asked about.
    fn remember(&self, key: &KeyId, now: Micros) {
        let mut near = self.near.write();
        if near.len() >= KEYS {
            near.retain(|_, until| until.0 > now.0);
        }
        if near.len() < KEYS || near.contains_key(key) {
            near.insert(key.clone(), now.plus_seconds(MAX_LEASE_S));
        }
    }

    /// Whether the key may have as many leases as it may, or nearly so.
    fn is_near(&self, key: &KeyId) -> bool {
        let near = self.near.read();
        !near.is_empty() && near.contains_key(key) // nearly always empty
    }
}

/// A claim's name in the set: 64 bits of a hash, so that the set stays small.
fn short(id: &MessageId, attempt: u64) -> u64 {
    let hash = Sha256::digest(format!("{id}_{attempt}"));
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How many leases more the key may take; None: so many that nobody counts them. Only near the limit Redis is asked.
///
/// # Errors
/// Redis trouble.
pub async fn room(app: &App, key: &KeyId) -> Result<Option<u64>> {
    if !app.leases.is_near(key) {
        return Ok(None);
    }
    Box::pin(running(app, key)).await.map(|running| Some(app.leases.most.saturating_sub(running)))
}

/// How many leases of the channel may run, for a claim: none of a key that has no room, so that its repetitions are still answered, and
/// nothing is given.
pub fn cap(app: &App, room: Option<u64>) -> u64 {
    if room == Some(0) { 0 } else { app.settings.max_leases_per_channel }
}

/// The refusal of a claim: that of the key where it has no room.
pub fn of_key(app: &App, room: Option<u64>, refused: ApiError) -> ApiError {
    if room != Some(0) || refused.code() != Code::QuotaExceeded {
        return refused;
    }
    ApiError::new(Code::QuotaExceeded)
        .with("limit", "leases_per_key")
        .with("value", app.leases.most)
        .because("Your key holds as many running leases as it may. Acknowledge or release some, or let them end; then claim on at once.")
}

/// How many leases of the key run, as far as replicas have told; this one tells first.
///
/// # Errors
/// Redis trouble.
pub async fn running(app: &App, key: &KeyId) -> Result<u64> {
    tell(app, key, app.leases.take(key)).await.map_err(of_a_read)
}

/// Tells Redis of all keys. One that fails is enough to know that Redis is in trouble; the others wait for the next time.
pub(super) async fn flush(app: &App) {
    let in_trouble = &AtomicBool::new(false);
    futures::stream::iter(app.leases.take_all())
        .for_each_concurrent(FLUSHED_AT_ONCE, |(key, changes)| async move {
            if in_trouble.load(Relaxed) {
                app.leases.put_back(&key, &changes);
            } else if tell(app, &key, changes).await.is_err() {
                in_trouble.store(true, Relaxed);
            }
        })
        .await;
}

async fn tell(app: &App, key: &KeyId, changes: Vec<(u64, Change)>) -> Result<u64> {
    let slot = app.keys.key(key);
    // Long enough for the flushes of all replicas to come in any order.
    let remember_ms = (app.settings.usage_flush.as_secs() * 2 + 10) * 1000;
    let mut left = changes.as_slice();
    loop {
        let (step, rest) = left.split_at(left.len().min(A_STEP));
        let told = step.iter().flat_map(|(lease, change)| {
            let end = match change {
                Change::Given(end) | Change::Moved(end) => end.0,
                Change::Ended => 0,
            };
            [format!("{lease:016x}"), end.to_string()]
        });
        let call = scripts::USAGE_LEASES.on(&slot).key("running", key.as_str()).int("remember_ms", remember_ms).rest(told);
        let reply = match call.may_send_again(true).run(&app.redis).await {
            Ok(reply) => reply,
            Err(e) => {
                app.leases.put_back(key, left);
                return Err(e);
            }
        };
        if rest.is_empty() {
            let running = reply.uint(0)?;
            app.leases.heard(key, running, reply.now());
            return Ok(running);
        }
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ChannelId;

    fn record(end: u64) -> ClaimRecord {
        ClaimRecord::parse(&format!("h\u{1f}1\u{1f}{end}\u{1f}s\u{1f}k\u{1f}a\u{1f}n\u{1f}1\u{1f}1\u{1f}")).expect("a record")
    }

    #[test]
    fn what_began_and_ended_between_two_flushes_is_not_told() {
        let (leases, key) = (Leases::new(100), KeyId::generate("me"));
        let ids: Vec<_> = (1..=4).map(|n| MessageId::new(ChannelId::generate(), Micros(n))).collect();
        leases.given(&key, &ids[0], &record(50));
        leases.given(&key, &ids[0], &record(0)); // a claim without a lease
        leases.moved(&key, &ids[0], &record(70));
        leases.moved(&key, &ids[1], &record(60));
        leases.ended(&key, &ids[2], 1);
        leases.moved(&key, &ids[2], &record(90)); // a heartbeat that was overtaken
        leases.given(&key, &ids[3], &record(50));
        leases.ended(&key, &ids[3], 1);
        let mut taken = leases.take(&key);
        let expected = [(0, Change::Given(Micros(70))), (1, Change::Moved(Micros(60))), (2, Change::Ended)];
        let mut expected = expected.map(|(n, change)| (short(&ids[n], 1), change)).to_vec();
        taken.sort_by_key(|(lease, _)| *lease);
        expected.sort_by_key(|(lease, _)| *lease);
        assert_eq!(taken, expected);
        assert_eq!((leases.changes.load(Relaxed), leases.take_all().len()), (0, 0));

        leases.ended(&key, &ids[1], 1);
        leases.put_back(&key, &taken);
        leases.ended(&key, &ids[0], 1);
        let all = leases.take_all();
        assert!(all[0].1.len() == 3 && all[0].1.iter().all(|(_, change)| *change == Change::Ended), "Redis may have heard: {all:?}");
    }

    #[test]
    fn a_key_is_near_with_nine_tenths_known_or_a_tenth_unknown() {
        let (leases, key) = (Leases::new(100), KeyId::generate("me"));
        leases.heard(&key, 89, Micros(1));
        assert!(!leases.is_near(&key));
        leases.heard(&key, 90, Micros(1));
        assert!(leases.is_near(&key));
        leases.heard(&key, 89, Micros(1));
        let give = |n| leases.given(&key, &MessageId::new(ChannelId::generate(), Micros(n)), &record(50));
        (0..9).for_each(give);
        assert!(!leases.is_near(&key));
        give(9);
        assert!(leases.is_near(&key) && !leases.is_near(&KeyId::generate("other")));
        let free = Leases::new(0);
        free.given(&key, &MessageId::new(ChannelId::generate(), Micros(1)), &record(50));
        assert!(free.take_all().is_empty() && !free.is_near(&key));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let leases = Leases::new(1_000_000);
        let (channel, busy) = (ChannelId::generate(), KeyId::generate("busy"));
        for n in 0..CHANGES as u64 + 10 {
            leases.given(&busy, &MessageId::new(channel.clone(), Micros(n)), &record(50));
        }
        assert_eq!((leases.changes.load(Relaxed), leases.take(&busy).len()), (CHANGES, CHANGES));
        for n in 0..KEYS + 10 {
            leases.heard(&KeyId::generate(&n.to_string()), 1_000_000, Micros(1));
        }
        assert_eq!(leases.near.read().len(), KEYS);
        leases.heard(&busy, 1_000_000, Micros(1).plus_seconds(MAX_LEASE_S + 1));
        assert!(leases.is_near(&busy), "those whose leases have ended make room");
    }
}
