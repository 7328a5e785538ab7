//! What a replica remembers of keys: for a second, and until another replica says that one changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use moka::sync::Cache;
use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use super::admit::Admitted;
use crate::error::{ApiError, Result};
use crate::ids::PresentedKey;

/// Longest time a revoked key could still be taken for active by a replica that missed the news.
pub const LIFE: Duration = Duration::from_secs(1);
const MOST_KEYS: u64 = 100_000;

/// Names a question: digest and epoch.
type Asked = (String, u64);

/// What Redis says of a key.
pub type Question = Result<Arc<Admitted>>;

/// Checked keys by id, with the digest they were checked with.
pub struct KeyCache {
    known: Cache<String, (String, Arc<Admitted>)>,
    epoch: AtomicU64,
    /// Questions under way.
    asking: Arc<Mutex<HashMap<Asked, Shared<BoxFuture<'static, Question>>>>>,
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
            asking: Arc::default(),
        }
    }

    /// Grows whenever something is forgotten: what was read before may be stale.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Joins the question that is being asked about this very key, or asks it: a thousand waiters that wake together ask once, and share
    /// a failure too. A question asked before something was forgotten is not joined.
    pub async fn ask(&self, presented: &PresentedKey, question: impl Future<Output = Question> + Send + 'static) -> Question {
        let name = (presented.digest.clone(), self.epoch());
        let asked = self.asking.lock().entry(name.clone()).or_insert_with(|| self.spawned(name, question)).clone();
        asked.await
    }

    /// In a task of its own, so that it comes to its end also when all who asked have gone.
    fn spawned(&self, name: Asked, question: impl Future<Output = Question> + Send + 'static) -> Shared<BoxFuture<'static, Question>> {
        let asking = self.asking.clone();
        let task = tokio::spawn(async move {
            let answer = question.await;
            asking.lock().remove(&name);
            answer
        });
        async move { task.await.unwrap_or_else(|e| Err(ApiError::internal(e.to_string()))) }.boxed().shared()
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
