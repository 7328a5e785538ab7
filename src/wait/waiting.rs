//! How many requests this replica holds open, in all and of each key: one key must not take all places.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::ids::KeyId;

/// How many may wait.
pub struct Most {
    pub all: usize,
    /// Of one key; 0: as many as in all.
    pub of_key: usize,
}

/// Who waits on this replica.
pub struct Waiting {
    most: Most,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    all: usize,
    /// Only keys that wait.
    by_key: HashMap<KeyId, usize>,
}

/// A request that is held; it gives its place back when it ends.
pub struct Place<'a> {
    waiting: &'a Waiting,
    /// None: it came without a key.
    key: Option<KeyId>,
}

impl Waiting {
    pub fn new(most: Most) -> Self {
        Self { most, now: Mutex::default() }
    }

    /// A place for one more request of this key; None where there is none: then the request is answered at once (protocol, chapter 5).
    pub fn enter(&self, key: &KeyId) -> Option<Place<'_>> {
        let mut now = self.now.lock();
        let mine = now.by_key.get(key).copied().unwrap_or(0);
        if now.all >= self.most.all || self.most.of_key > 0 && mine >= self.most.of_key {
            return None;
        }
        now.all += 1;
        now.by_key.insert(key.clone(), mine + 1);
        Some(Place { waiting: self, key: Some(key.clone()) })
    }

    /// The same for a request that needs no key, as those to rooms: only how many wait in all counts.
    pub fn enter_without_key(&self) -> Option<Place<'_>> {
        let mut now = self.now.lock();
        if now.all >= self.most.all {
            return None;
        }
        now.all += 1;
        Some(Place { waiting: self, key: None })
    }

    /// Requests of this key that wait here now.
    pub fn of(&self, key: &KeyId) -> usize {
        self.now.lock().by_key.get(key).copied().unwrap_or(0)
    }

    /// Requests that wait here now.
    pub fn all(&self) -> usize {
        self.now.lock().all
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut now = self.waiting.now.lock();
        now.all -= 1;
        let Some(key) = &self.key else { return };
        if let Some(mine) = now.by_key.get_mut(key) {
            *mine -= 1;
            if *mine == 0 {
                now.by_key.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_by_key_and_given_back() {
        let waiting = Waiting::new(Most { all: 3, of_key: 2 });
        let (one, other) = (KeyId::generate("one"), KeyId::generate("other"));
        let first = waiting.enter(&one).expect("room");
        let _second = waiting.enter(&one).expect("room");
        assert!(waiting.enter(&one).is_none(), "one key has its two");
        let third = waiting.enter(&other).expect("room");
        assert!(waiting.enter(&other).is_none(), "three in all");
        assert!(waiting.enter_without_key().is_none(), "also without a key");
        assert_eq!((waiting.of(&one), waiting.of(&other), waiting.all()), (2, 1, 3));
        drop((first, third));
        assert_eq!((waiting.of(&one), waiting.of(&other), waiting.all()), (1, 0, 1));
        assert_eq!(waiting.now.lock().by_key.len(), 1, "who does not wait takes no room");
        let nameless = waiting.enter_without_key().expect("room");
        assert_eq!(waiting.all(), 2);
        drop(nameless);
        assert_eq!((waiting.of(&other), waiting.all()), (0, 1));
        let unlimited = Waiting::new(Most { all: 10, of_key: 0 });
        let places: Vec<_> = (0..10).map_while(|_| unlimited.enter(&one)).collect();
        assert_eq!(places.len(), 10);
    }
}
