//! Waiting for a condition, not for a time.

use std::future::Future;
use std::time::{Duration, Instant};

/// Between two looks: short enough that a test does not notice, long enough not to be load.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// Waits until `condition` holds and returns how long that took; fails the test after `limit`, naming `what` was awaited.
/// The limit says what is broken, not what is usual: be generous, two cores are shared by all tests.
pub async fn eventually<F, Fut>(what: &str, limit: Duration, mut condition: F) -> Duration
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let began = Instant::now();
    loop {
        if condition().await {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same for a test without a runtime.
pub fn eventually_blocking(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    loop {
        if condition() {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
