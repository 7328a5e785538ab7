//! What keys do, counted: in the replica's memory, so that a request costs Redis nothing, and added to the key's counters every few seconds.

pub mod account;
pub mod amounts;
pub mod budget;
mod held;
pub mod metrics;
pub mod quotas;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::StreamExt;
use parking_lot::Mutex;

use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::KeyId;
use crate::store::{Reply, scripts};

pub use held::HeldCache;

/// Parts of the map, so that requests on many cores seldom meet.
const PARTS: usize = 16;
/// Most keys that one part remembers between two flushes; what further keys do in that time is not counted.
const KEYS_OF_A_PART: usize = 8192;
/// Keys whose counts are on their way to Redis at the same time.
const FLUSHED_AT_ONCE: usize = 16;

/// What one key did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests answered, refused ones included.
    pub requests: u64,
    /// Those answered with a 4xx or 5xx.
    pub errors: u64,
    /// Messages taken.
    pub claims: u64,
    /// Messages acknowledged.
    pub acks: u64,
    /// Bytes posted; of the counters in Redis, those of the running day.
    pub bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.requests += more.requests;
        self.errors += more.errors;
        self.claims += more.claims;
        self.acks += more.acks;
        self.bytes += more.bytes;
    }
}

/// What this replica counted since its last flush.
pub struct Tally {
    parts: [Mutex<HashMap<KeyId, Counts>>; PARTS],
    hasher: RandomState,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    pub fn new() -> Self {
        Self { parts: Default::default(), hasher: RandomState::new() }
    }

    /// One request of this key was answered.
    pub fn answered(&self, key: &KeyId, status: u16) {
        self.add(key, Counts { requests: 1, errors: u64::from(status >= 400), ..Counts::default() });
    }

    /// The key took this many messages.
    pub fn claimed(&self, key: &KeyId, messages: usize) {
        self.add(key, Counts { claims: messages as u64, ..Counts::default() });
    }

    /// The key acknowledged a message.
    pub fn acked(&self, key: &KeyId) {
        self.add(key, Counts { acks: 1, ..Counts::default() });
    }

    /// The key posted a message of so many bytes.
    pub fn posted(&self, key: &KeyId, bytes: usize) {
        self.add(key, Counts { bytes: bytes as u64, ..Counts::default() });
    }

    fn add(&self, key: &KeyId, more: Counts) {
        if more == Counts::default() {
            return;
        }
        let mut part = self.part(key).lock();
        if let Some(counts) = part.get_mut(key) {
            *counts += more;
        } else if part.len() < KEYS_OF_A_PART {
            part.insert(key.clone(), more);
        }
    }

    /// Takes what was counted for one key.
    fn take(&self, key: &KeyId) -> Counts {
        self.part(key).lock().remove(key).unwrap_or_default()
    }

    fn take_all(&self) -> Vec<(KeyId, Counts)> {
        self.parts.iter().flat_map(|part| std::mem::take(&mut *part.lock())).collect()
    }

    fn part(&self, key: &KeyId) -> &Mutex<HashMap<KeyId, Counts>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or_default();
        &self.parts[hash]
    }
}

/// Flushes every few seconds, until the replica leaves.
pub fn start(app: &App) {
    let weak = std::sync::Arc::downgrade(app);
    let every = app.settings.usage_flush;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(app) = weak.upgrade() else { return };
            flush(&app).await;
        }
    });
}

/// Adds what was counted to the counters in Redis. What Redis certainly did not take is kept for the next time; what it may have taken is
/// not sent again, so the counters are never too high.
pub async fn flush(app: &App) {
    let in_trouble = &AtomicBool::new(false);
    let counted = futures::stream::iter(app.tally.take_all());
    counted
        .for_each_concurrent(FLUSHED_AT_ONCE, |(key, counts)| async move {
            // One that fails is enough to know that Redis is in trouble; the others wait for the next flush.
            if in_trouble.load(Relaxed) {
                app.tally.add(&key, counts);
            } else if send(app, &key, counts).await.is_err() {
                in_trouble.store(true, Relaxed);
            }
        })
        .await;
}

/// Adds these counts to the key's counters; what they are now. Learns whether the key may post on.
async fn send(app: &App, key: &KeyId, counts: Counts) -> Result<Counts> {
    let slot = app.keys.key(key);
    let call = scripts::USAGE_ADD.on(&slot).key("usage", key.as_str());
    let call = call.int("requests", counts.requests).int("errors", counts.errors).int("claims", counts.claims).int("acks", counts.acks);
    let call = call.int("bytes", counts.bytes);
    let sent = call.run(&app.redis).await;
    let not_taken = |code| matches!(code, Code::StorageUnavailable | Code::StorageFull | Code::Overloaded);
    if sent.as_ref().is_err_and(|e| not_taken(e.code())) {
        app.tally.add(key, counts);
    }
    let reply = sent?;
    let now = decode(&reply)?;
    app.budget.heard(key, now.bytes, reply.micros(5)?, reply.now());
    Ok(now)
}

/// The key's counters now. What this replica has counted so far belongs to them.
///
/// # Errors
/// Redis trouble.
async fn counted(app: &App, key: &KeyId) -> Result<Counts> {
    // Whether they moved is nothing to who only reads them: asking again is safe.
    let of_a_read = |e: ApiError| match e.code() {
        Code::OutcomeUnknown => ApiError::new(Code::StorageUnavailable).cause(e.log_cause().unwrap_or_default()),
        _ => e,
    };
    send(app, key, app.tally.take(key)).await.map_err(of_a_read)
}

fn decode(reply: &Reply) -> Result<Counts> {
    Ok(Counts { requests: reply.uint(0)?, errors: reply.uint(1)?, claims: reply.uint(2)?, acks: reply.uint(3)?, bytes: reply.uint(4)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_until_they_are_taken_and_only_of_so_many_keys() {
        let (tally, key) = (Tally::new(), KeyId::generate("me"));
        tally.answered(&key, 200);
        tally.answered(&key, 404);
        tally.claimed(&key, 3);
        tally.claimed(&key, 0);
        tally.acked(&key);
        tally.posted(&key, 70);
        assert_eq!(tally.take(&key), Counts { requests: 2, errors: 1, claims: 3, acks: 1, bytes: 70 });
        assert_eq!(tally.take(&key), Counts::default());
        for n in 0..PARTS * KEYS_OF_A_PART + 5000 {
            tally.acked(&KeyId::generate(&n.to_string()));
        }
        assert!(tally.take_all().len() <= PARTS * KEYS_OF_A_PART);
        assert!(tally.take_all().is_empty());
    }
}
