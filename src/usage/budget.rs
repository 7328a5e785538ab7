//! How much a key may post in a day, so that one key alone cannot fill Redis.
//!
//! Bytes are counted in the replica's memory and added up in Redis with the other counters, every few seconds. A key that has posted more
//! than it may is remembered until the day is over: posts cost no look into Redis, and a key may go over by what it posts in between.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::error::{ApiError, Code, Result};
use crate::ids::{KeyId, Micros};

/// Most keys that are remembered; further ones are let through until some are forgotten.
const KEYS: usize = 65_536;

/// Who has posted enough today.
pub struct Budget {
    /// Bytes a day; 0: no limit.
    most: u64,
    /// Until when.
    spent: RwLock<HashMap<KeyId, Micros>>,
}

impl Budget {
    /// `most`: bytes that a key may post in a day; 0: no limit.
    pub fn new(most: u64) -> Self {
        Self { most, spent: RwLock::default() }
    }

    /// # Errors
    /// `quota_exceeded` for a key that has posted what it may today.
    pub fn check(&self, key: &KeyId, now: Micros) -> Result<()> {
        let spent = self.spent.read();
        if spent.is_empty() {
            return Ok(()); // nearly always
        }
        match spent.get(key) {
            Some(until) if *until > now => Err(ApiError::new(Code::QuotaExceeded)
                .with("limit", "bytes_per_key_per_day")
                .with("value", self.most)
                .with("resets_at", until.rfc3339())),
            _ => Ok(()),
        }
    }

    /// Takes in what Redis says that a key has posted today, and when that day ends.
    pub(super) fn heard(&self, key: &KeyId, bytes: u64, day_ends: Micros, now: Micros) {
        if self.most == 0 || bytes < self.most {
            return;
        }
        let mut spent = self.spent.write();
        if spent.len() >= KEYS {
            spent.retain(|_, until| *until > now);
        }
        if spent.len() < KEYS {
            spent.insert(key.clone(), day_ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_has_posted_enough_waits_for_the_next_day() {
        let (budget, key, other) = (Budget::new(100), KeyId::generate("me"), KeyId::generate("other"));
        budget.heard(&key, 99, Micros(1000), Micros(10));
        assert!(budget.check(&key, Micros(10)).is_ok());
        budget.heard(&key, 100, Micros(1000), Micros(10));
        assert_eq!(budget.check(&key, Micros(999)).expect_err("enough").code(), Code::QuotaExceeded);
        assert!(budget.check(&key, Micros(1000)).is_ok() && budget.check(&other, Micros(10)).is_ok());
        for n in 0..KEYS + 10 {
            budget.heard(&KeyId::generate(&n.to_string()), 100, Micros(2000), Micros(10));
        }
        assert_eq!(budget.spent.read().len(), KEYS);
        budget.heard(&other, 100, Micros(9000), Micros(3000));
        assert!(budget.check(&other, Micros(3000)).is_err(), "those of yesterday make room");
        let unlimited = Budget::new(0);
        unlimited.heard(&key, u64::MAX, Micros(1000), Micros(10));
        assert!(unlimited.check(&key, Micros(10)).is_ok());
    }
}
