//! When a delivery is tried again.

use std::time::Duration;

use rand::RngExt;

/// Longest time that a receiver can ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The wait after try number `attempt` failed, from 1, give or take a fifth, so that deliveries that failed together do not come back
/// together; at least as long as the receiver asked for. None: that was the last try.
pub fn after(attempt: u32, delays: &[Duration], asked: Option<Duration>) -> Option<Duration> {
    let delay = delays.get(usize::try_from(attempt).ok()?.checked_sub(1)?)?;
    let jittered = delay.mul_f64(rand::rng().random_range(0.8..1.2));
    Some(jittered.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_as_set_and_end_with_the_last_one() {
        let delays = [5, 30, 120].map(Duration::from_secs);
        for (attempt, seconds) in [(1, 5.0), (2, 30.0), (3, 120.0)] {
            let wait = after(attempt, &delays, None).expect("another try").as_secs_f64();
            assert!((seconds * 0.8..=seconds * 1.2).contains(&wait), "{attempt}: {wait}");
        }
        assert_eq!(after(4, &delays, None), None);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_up_to_an_hour() {
        let delays = [Duration::from_secs(5)];
        assert_eq!(after(1, &delays, Some(Duration::from_secs(90))), Some(Duration::from_secs(90)));
        assert_eq!(after(1, &delays, Some(Duration::from_secs(90_000))), Some(MAX_RETRY_AFTER));
        assert!(after(1, &delays, Some(Duration::ZERO)).expect("another try") >= Duration::from_secs(4));
    }
}
