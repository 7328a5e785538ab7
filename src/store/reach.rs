//! Since when Redis does not answer: a short trouble must not empty the Service of its replicas, since all of them have the same Redis.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What this replica saw of Redis' presence.
#[derive(Default)]
pub struct Reach {
    ever: AtomicBool,
    gone_since: Mutex<Option<Instant>>,
}

impl Reach {
    /// Takes in whether Redis answered just now.
    pub fn saw(&self, answered: bool) {
        let mut gone_since = self.gone_since.lock();
        if answered {
            self.ever.store(true, Relaxed);
            *gone_since = None;
        } else {
            gone_since.get_or_insert_with(Instant::now);
        }
    }

    /// Whether Redis answered once since the start.
    pub fn ever(&self) -> bool {
        self.ever.load(Relaxed)
    }

    /// Whether Redis is away, and has been for so long without a break.
    pub fn gone_for(&self, long: Duration) -> bool {
        self.gone_since.lock().is_some_and(|since| since.elapsed() >= long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gone_since_the_first_silence_in_a_row() {
        let reach = Reach::default();
        assert!(!reach.ever() && !reach.gone_for(Duration::ZERO));
        reach.saw(false);
        assert!(!reach.ever() && reach.gone_for(Duration::ZERO) && !reach.gone_for(Duration::from_secs(60)));
        reach.saw(true);
        assert!(reach.ever() && !reach.gone_for(Duration::ZERO));
        reach.saw(false);
        std::thread::sleep(Duration::from_millis(20));
        reach.saw(false);
        assert!(reach.gone_for(Duration::from_millis(20)), "the first silence counts, not the last");
        assert!(reach.ever(), "once is once");
    }
}
