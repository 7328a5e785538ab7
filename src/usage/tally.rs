//! The counters of one replica between two flushes: bounded maps, split so that requests on many cores seldom meet.

use std::hash::{BuildHasher, Hash};
use std::ops::AddAssign;

use foldhash::{HashMap, fast::RandomState};
use parking_lot::Mutex;

use crate::ids::{ChannelId, KeyId};

/// Parts of a map, so that requests on many cores seldom meet.
const PARTS: usize = 16;
/// Most owners of counters that one part remembers between two flushes; what further ones do in that time is not counted.
const OWNERS_OF_A_PART: usize = 8192;

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

/// What was done in one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Messages taken.
    pub claims: u64,
    /// Acknowledgements.
    pub acks: u64,
    /// Messages given back by their holder, or for it when it had hung up.
    pub releases: u64,
}

impl AddAssign for ChannelCounts {
    fn add_assign(&mut self, more: Self) {
        self.claims += more.claims;
        self.acks += more.acks;
        self.releases += more.releases;
    }
}

/// What this replica counted since its last flush.
#[derive(Default)]
pub struct Tally {
    pub(super) keys: Board<KeyId, Counts>,
    pub(super) channels: Board<ChannelId, ChannelCounts>,
    /// Held while counts are on their way: a replica that leaves must not take an empty board for everything having arrived.
    pub(super) flushing: tokio::sync::Mutex<()>,
}

impl Tally {
    pub fn new() -> Self {
        Self::default()
    }

    /// One request of this key was answered.
    pub fn answered(&self, key: &KeyId, status: u16) {
        self.keys.add(key, Counts { requests: 1, errors: u64::from(status >= 400), ..Counts::default() });
    }

    /// The key took this many messages of the channel.
    pub fn claimed(&self, key: &KeyId, channel: &ChannelId, messages: usize) {
        let claims = messages as u64;
        self.keys.add(key, Counts { claims, ..Counts::default() });
        self.channels.add(channel, ChannelCounts { claims, ..ChannelCounts::default() });
    }

    /// The key acknowledged a message of the channel.
    pub fn acked(&self, key: &KeyId, channel: &ChannelId) {
        self.keys.add(key, Counts { acks: 1, ..Counts::default() });
        self.channels.add(channel, ChannelCounts { acks: 1, ..ChannelCounts::default() });
    }

    /// The key posted a message of so many bytes.
    pub fn posted(&self, key: &KeyId, bytes: usize) {
        self.keys.add(key, Counts { bytes: bytes as u64, ..Counts::default() });
    }

    /// A message of the channel was given back.
    pub fn released(&self, channel: &ChannelId) {
        self.channels.add(channel, ChannelCounts { releases: 1, ..ChannelCounts::default() });
    }
}

/// Counters by owner.
pub(super) struct Board<O, C> {
    parts: [Mutex<HashMap<O, C>>; PARTS],
    hasher: RandomState,
}

impl<O, C> Default for Board<O, C> {
    fn default() -> Self {
        Self { parts: Default::default(), hasher: RandomState::default() }
    }
}

impl<O: Hash + Eq + Clone, C: AddAssign + Default + PartialEq> Board<O, C> {
    pub fn add(&self, owner: &O, more: C) {
        if more != C::default() {
            self.change(owner, |counts| *counts += more);
        }
    }
}

impl<O: Hash + Eq + Clone, C: Default> Board<O, C> {
    /// Changes what is kept for one; None where there is no room for another owner.
    pub fn change<R>(&self, owner: &O, change: impl FnOnce(&mut C) -> R) -> Option<R> {
        let mut part = self.part(owner).lock();
        if let Some(counts) = part.get_mut(owner) {
            return Some(change(counts));
        }
        (part.len() < OWNERS_OF_A_PART).then(|| change(part.entry(owner.clone()).or_default()))
    }

    /// Takes what was counted for one.
    pub fn take(&self, owner: &O) -> C {
        self.part(owner).lock().remove(owner).unwrap_or_default()
    }

    pub fn take_all(&self) -> Vec<(O, C)> {
        self.parts.iter().flat_map(|part| std::mem::take(&mut *part.lock())).collect()
    }

    fn part(&self, owner: &O) -> &Mutex<HashMap<O, C>> {
        let hash = usize::try_from(self.hasher.hash_one(owner) % PARTS as u64).unwrap_or_default();
        &self.parts[hash]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_until_they_are_taken_and_only_of_so_many() {
        let (tally, key) = (Tally::new(), KeyId::generate("me"));
        let channel = ChannelId::generate();
        tally.answered(&key, 200);
        tally.answered(&key, 404);
        tally.claimed(&key, &channel, 3);
        tally.claimed(&key, &channel, 0);
        tally.acked(&key, &channel);
        tally.released(&channel);
        tally.posted(&key, 70);
        assert_eq!(tally.keys.take(&key), Counts { requests: 2, errors: 1, claims: 3, acks: 1, bytes: 70 });
        assert_eq!(tally.channels.take(&channel), ChannelCounts { claims: 3, acks: 1, releases: 1 });
        assert_eq!((tally.keys.take(&key), tally.channels.take(&channel)), (Counts::default(), ChannelCounts::default()));
        for n in 0..PARTS * OWNERS_OF_A_PART + 5000 {
            tally.acked(&KeyId::generate(&n.to_string()), &ChannelId::generate());
        }
        assert!(tally.keys.take_all().len() <= PARTS * OWNERS_OF_A_PART && tally.channels.take_all().len() <= PARTS * OWNERS_OF_A_PART);
        assert!(tally.keys.take_all().is_empty() && tally.channels.take_all().is_empty());
    }
}
