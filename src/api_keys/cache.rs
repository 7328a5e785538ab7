//! What a replica remembers of keys: for a second, and until another replica says that one changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::{Mutex, RwLock};
use subtle::{Choice, ConstantTimeEq};

use super::admit::Admitted;
use crate::error::{ApiError, Result};
use crate::ids::PresentedKey;

/// Longest time a revoked key could still be taken for active by a replica that missed the news.
pub const LIFE: Duration = Duration::from_secs(1);
/// Most keys that are remembered.
const MOST_KEYS: usize = 100_000;
/// Up to so many keys nobody looks which of them are old.
const FEW_KEYS: usize = 1000;

/// Names a question: digest and epoch.
type Asked = (String, u64);

/// What Redis says of a key.
pub type Question = Result<Arc<Admitted>>;

/// What was checked, with the digest it was checked with.
struct Checked {
    digest: String,
    admitted: Arc<Admitted>,
}

impl Checked {
    fn is_fresh(&self) -> bool {
        self.admitted.asked_at.elapsed() < LIFE
    }
}

/// Checked keys by id.
#[derive(Default)]
struct Known {
    keys: foldhash::HashMap<String, Checked>,
    /// When there are as many as this, the old ones go.
    swept_at: usize,
}

impl Known {
    fn put(&mut self, key: String, checked: Checked) {
        if self.keys.len() >= self.swept_at.max(FEW_KEYS) {
            self.keys.retain(|_, known| known.is_fresh());
            if self.keys.len() >= MOST_KEYS / 2 {
                self.keys.clear(); // all are asked about again, which is no more work than if they were not remembered
            }
            self.swept_at = self.keys.len() * 2;
        }
        self.keys.insert(key, checked);
    }
}

/// What a replica remembers of keys.
pub struct KeyCache {
    known: RwLock<Known>,
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
        Self { known: RwLock::default(), epoch: AtomicU64::new(0), asking: Arc::default() }
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
        let known = self.known.read();
        let checked = known.keys.get(presented.id.as_str()).filter(|checked| checked.is_fresh())?;
        is_same(&checked.digest, &presented.digest).then(|| checked.admitted.clone())
    }

    /// Remembers what was read, unless something was forgotten since `epoch`, the value from before the read.
    pub fn put(&self, presented: &PresentedKey, admitted: &Arc<Admitted>, epoch: u64) {
        let mut known = self.known.write();
        // Who forgets counts up before it takes this lock: it finds what is put here, or is seen here.
        if self.epoch() == epoch {
            known.put(presented.id.as_str().to_owned(), Checked { digest: presented.digest.clone(), admitted: admitted.clone() });
        }
    }

    pub fn forget(&self, key_id: &str) {
        self.epoch.fetch_add(1, SeqCst);
        self.known.write().keys.remove(key_id);
    }

    /// For when news may have been missed.
    pub fn forget_all(&self) {
        self.epoch.fetch_add(1, SeqCst);
        self.known.write().keys.clear();
    }
}

/// Compares two digests in a time that does not depend on them, eight characters at once.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes().as_chunks::<8>(), b.as_bytes().as_chunks::<8>());
    let words = a.0.iter().zip(b.0).map(|(a, b)| u64::from_ne_bytes(*a).ct_eq(&u64::from_ne_bytes(*b)));
    a.0.len() == b.0.len() && bool::from(words.fold(a.1.ct_eq(b.1), |same: Choice, word| same & word))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::actors::Actor;
    use crate::ids::{ActorId, KeyId, Micros};

    fn admitted(key: &KeyId, age: Duration) -> Arc<Admitted> {
        let actor = Actor { id: ActorId::generate(&key.slot()), name: "a".into() };
        let asked_at = Instant::now().checked_sub(age).expect("the machine is older");
        Arc::new(Admitted { label: "a".into(), scopes: None, actor, created: Micros(0), asked_at })
    }

    #[test]
    fn a_key_is_known_with_its_secret_for_a_second() {
        let (cache, id) = (KeyCache::new(), KeyId::generate("a"));
        let ((_, right), (_, wrong)) = (PresentedKey::mint(id.clone()), PresentedKey::mint(id.clone()));
        let mut fresh = Arc::into_inner(admitted(&id, Duration::ZERO)).expect("nobody else has it");
        fresh.asked_at = Instant::now() + Duration::from_secs(60); // however long this test has to wait for its turn
        cache.put(&right, &Arc::new(fresh), cache.epoch());
        assert!(cache.get(&right).is_some() && cache.get(&wrong).is_none());
        cache.put(&right, &admitted(&id, LIFE), cache.epoch());
        assert!(cache.get(&right).is_none(), "it was asked about a second ago");
    }

    #[test]
    fn what_was_read_before_something_was_forgotten_is_not_remembered() {
        let (cache, id) = (KeyCache::new(), KeyId::generate("a"));
        let (_, key) = PresentedKey::mint(id.clone());
        let epoch = cache.epoch();
        cache.forget(id.as_str());
        cache.put(&key, &admitted(&id, Duration::ZERO), epoch);
        assert!(cache.get(&key).is_none());
        cache.put(&key, &admitted(&id, Duration::ZERO), cache.epoch());
        cache.forget(id.as_str());
        assert!(cache.get(&key).is_none());
    }

    #[test]
    fn old_keys_go_and_there_are_never_too_many() {
        let (mut known, first) = (Known::default(), KeyId::generate("first"));
        let checked = |age| Checked { digest: String::new(), admitted: admitted(&first, age) };
        let mut put = |n: usize, age| known.put(n.to_string(), checked(age));
        (0..FEW_KEYS).for_each(|n| put(n, LIFE));
        put(FEW_KEYS, Duration::ZERO);
        assert_eq!(known.keys.len(), 1);
        let still_fresh = admitted(&first, Duration::ZERO);
        for n in 0..MOST_KEYS + 10 {
            known.put(n.to_string(), Checked { digest: String::new(), admitted: still_fresh.clone() });
            assert!(known.keys.len() <= MOST_KEYS);
        }
    }
}
