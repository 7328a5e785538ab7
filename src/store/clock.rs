//! Redis' time as this replica has seen it: the floor under new message ids after a failover.

use std::time::Instant;

use parking_lot::Mutex;

use crate::ids::Micros;

/// The floor moves on slower than time by one part in this many: a Redis clock that was set back, or two clocks that drift apart, are
/// caught up with in the end, while the floor itself never falls.
const SLOWER: u64 = 1000;

/// The highest Redis time seen, and when it was seen by the monotonic clock.
///
/// A promoted Redis whose clock is behind would give new messages ids that lie before what readers have seen. Every post
/// therefore carries [`RedisClock::floor`]; the script takes it, within 60 seconds of its own time (docs/architecture.md, "Time").
#[derive(Debug, Default)]
pub struct RedisClock(Mutex<Option<(Micros, Instant)>>);

impl RedisClock {
    /// Takes note of a time that a script returned. Times older than the floor change nothing.
    pub fn observe(&self, now: Micros) {
        let seen = Instant::now();
        let mut highest = self.0.lock();
        if advanced(*highest, seen) < now {
            *highest = Some((now, seen));
        }
    }

    /// The highest time seen plus what has passed since; zero before the first reply.
    pub fn floor(&self) -> Micros {
        advanced(*self.0.lock(), Instant::now())
    }
}

fn advanced(highest: Option<(Micros, Instant)>, at: Instant) -> Micros {
    let Some((time, seen)) = highest else { return Micros(0) };
    let passed = u64::try_from(at.saturating_duration_since(seen).as_micros()).unwrap_or(u64::MAX);
    Micros(time.0.saturating_add(passed - passed / SLOWER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_back_does_not_lower_the_floor() {
        let clock = RedisClock::default();
        assert_eq!(clock.floor(), Micros(0));
        clock.observe(Micros(5_000_000));
        clock.observe(Micros(1_000_000));
        assert!(clock.floor() >= Micros(5_000_000));
        clock.observe(Micros(9_000_000));
        assert!(clock.floor() >= Micros(9_000_000));
    }
}
