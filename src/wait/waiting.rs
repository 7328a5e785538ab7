//! How many requests this replica holds open, in all and of each who asks: none must take all places.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::ids::KeyId;

/// How many may wait.
pub struct Most {
    pub all: usize,
    /// Of one key, or of one client address where no key is needed; 0: as many as in all.
    pub of_one: usize,
}

/// Who waits on this replica.
pub struct Waiting {
    most: Most,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    all: usize,
    /// Only those who wait.
    by_one: HashMap<Who, usize>,
}

/// Whom a held request is counted for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Key(KeyId),
    Address(IpAddr),
}

/// A request that is held; it gives its place back when it ends.
pub struct Place<'a> {
    waiting: &'a Waiting,
    who: Who,
}

impl Waiting {
    pub fn new(most: Most) -> Self {
        Self { most, now: Mutex::default() }
    }

    /// A place for one more request of this key; None where there is none: then the request is answered at once (protocol, chapter 5).
    pub fn enter(&self, key: &KeyId) -> Option<Place<'_>> {
        self.enter_as(Who::Key(key.clone()))
    }

    /// The same for a request that needs no key, as those to rooms, from this client address.
    pub fn enter_from(&self, address: IpAddr) -> Option<Place<'_>> {
        self.enter_as(Who::Address(address))
    }

    fn enter_as(&self, who: Who) -> Option<Place<'_>> {
        let mut now = self.now.lock();
        let mine = now.by_one.get(&who).copied().unwrap_or(0);
        if now.all >= self.most.all || self.most.of_one > 0 && mine >= self.most.of_one {
            return None;
        }
        now.all += 1;
        now.by_one.insert(who.clone(), mine + 1);
        Some(Place { waiting: self, who })
    }

    /// Requests of this key that wait here now.
    pub fn of(&self, key: &KeyId) -> usize {
        self.now.lock().by_one.get(&Who::Key(key.clone())).copied().unwrap_or(0)
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
        if let Some(mine) = now.by_one.get_mut(&self.who) {
            *mine -= 1;
            if *mine == 0 {
                now.by_one.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_for_each_and_given_back() {
        let waiting = Waiting::new(Most { all: 3, of_one: 2 });
        let (one, other) = (KeyId::generate("one"), KeyId::generate("other"));
        let first = waiting.enter(&one).expect("room");
        let _second = waiting.enter(&one).expect("room");
        assert!(waiting.enter(&one).is_none(), "one key has its two");
        let third = waiting.enter(&other).expect("room");
        assert!(waiting.enter(&other).is_none(), "three in all");
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!(waiting.enter_from(here).is_none(), "also without a key");
        assert_eq!((waiting.of(&one), waiting.of(&other), waiting.all()), (2, 1, 3));
        drop((first, third));
        assert_eq!((waiting.of(&one), waiting.of(&other), waiting.all()), (1, 0, 1));
        assert_eq!(waiting.now.lock().by_one.len(), 1, "who does not wait takes no room");
        let wide = Waiting::new(Most { all: 10, of_one: 2 });
        let (first, _second) = (wide.enter_from(here).expect("room"), wide.enter_from(here).expect("room"));
        assert!(wide.enter_from(here).is_none(), "one address has its two");
        let _other = wide.enter_from(there).expect("room");
        drop(first);
        assert!(wide.enter_from(here).is_some(), "it gave its place back");
        assert_eq!((wide.all(), wide.now.lock().by_one.len()), (2, 2));
        let unlimited = Waiting::new(Most { all: 10, of_one: 0 });
        let places: Vec<_> = (0..10).map_while(|_| unlimited.enter(&one)).collect();
        assert_eq!(places.len(), 10);
    }
}
