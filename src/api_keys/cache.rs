//! What a replica remembers of keys: for a second, and until another replica says that one changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use moka::sync::Cache;
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, MutexGuard};

use super::admit::Admitted;
use crate::ids::{KeyId, PresentedKey};

/// Longest time a revoked key could still be taken for active by a replica that missed the news.
pub const LIFE: Duration = Duration::from_secs(1);
const MOST_KEYS: u64 = 100_000;
/// Keys that may be asked for at the same time.
const TURNS: usize = 64;

/// Checked keys by id, with the digest they were checked with.
pub struct KeyCache {
    known: Cache<String, (String, Arc<Admitted>)>,
    epoch: AtomicU64,
    turns: [Mutex<()>; TURNS],
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyCache {
    pub fn new() -> Self {
        Self {
            known: Cache::builder().max_capacity(MOST_KEYS).time_to_live(LIFE).build(),
            epoch: AtomicU64::new(0),
            turns: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Grows whenever something is forgotten: what was read before may be stale.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Held while a key is asked for, so that it is asked for once; a few keys share a turn.
    pub async fn turn(&self, key: &KeyId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        self.turns[hasher.finish() as usize % TURNS].lock().await
    }

    /// What is known of this very key, secret included.
    pub fn get(&self, presented: &PresentedKey) -> Option<Arc<Admitted>> {
        let (digest, admitted) = self.known.get(presented.id.as_str())?;
        bool::from(digest.as_bytes().ct_eq(presented.digest.as_bytes())).then_some(admitted)
    }

    /// Remembers what was read, unless something was forgotten since `epoch`, the value from before the read.
    pub fn put(&self, presented: &PresentedKey, admitted: &Arc<Admitted>, epoch: u64) {
        if self.epoch() == epoch {
            self.known.insert(presented.id.as_str().to_owned(), (presented.digest.clone(), admitted.clone()));
            if self.epoch() != epoch {
                self.known.invalidate(presented.id.as_str());
            }
        }
    }

    pub fn forget(&self, key_id: &str) {
        self.epoch.fetch_add(1, SeqCst);
        self.known.invalidate(key_id);
    }

    /// For when news may have been missed.
    pub fn forget_all(&self) {
        self.epoch.fetch_add(1, SeqCst);
        self.known.invalidate_all();
    }
}
