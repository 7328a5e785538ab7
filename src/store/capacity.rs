//! Whether Redis has room for more. Each replica looks every second, so that no post has to; what comes meanwhile is the price.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::app::App;
use crate::error::{ApiError, Code, Result};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Seconds after which who was refused may ask again.
const RETRY_AFTER_S: u64 = 5;

/// What this replica saw when it last looked.
pub struct Capacity {
    /// 0: nine tenths of what Redis itself allows.
    most: u64,
    full: AtomicBool,
    used: AtomicU64,
    limit: AtomicU64,
}

impl Capacity {
    /// `most`: bytes that a node of Redis may use; 0: nine tenths of its own maxmemory, if it has one.
    pub fn new(most: u64) -> Self {
        Self { most, full: AtomicBool::new(false), used: AtomicU64::new(0), limit: AtomicU64::new(most) }
    }

    /// # Errors
    /// `storage_full` while a node of Redis uses more than it may.
    pub fn check(&self) -> Result<()> {
        if self.full.load(Relaxed) { Err(ApiError::new(Code::StorageFull).retry_after(RETRY_AFTER_S)) } else { Ok(()) }
    }

    /// Bytes that the fullest node used a moment ago.
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Bytes above which that node is full; None: it has no limit.
    pub fn limit(&self) -> Option<u64> {
        Some(self.limit.load(Relaxed)).filter(|limit| *limit > 0)
    }

    /// Takes in what the nodes say: used, and allowed.
    fn saw(&self, nodes: &[(u64, u64)]) {
        let limit = |allowed: u64| if self.most > 0 { self.most } else { allowed / 10 * 9 };
        let share = |(used, allowed): &(u64, u64)| used.saturating_mul(1000).checked_div(limit(*allowed)).unwrap_or(0);
        let Some(&(used, allowed)) = nodes.iter().max_by_key(|node| (share(node), node.0)) else { return };
        self.used.store(used, Relaxed);
        self.limit.store(limit(allowed), Relaxed);
        let full = limit(allowed) > 0 && used > limit(allowed);
        if self.full.swap(full, Relaxed) != full {
            if full {
                tracing::warn!(used, limit = limit(allowed), "Redis is full: what adds something is refused");
            } else {
                tracing::info!(used, limit = limit(allowed), "Redis has room again");
            }
        }
    }
}

/// Looks until the replica leaves. While Redis does not answer, what was last seen holds.
pub fn start(app: &App) {
    let weak = std::sync::Arc::downgrade(app);
    tokio::spawn(async move {
        loop {
            let Some(app) = weak.upgrade() else { return };
            if app.ping().await
                && let Ok(nodes) = app.redis.memory().await
            {
                app.capacity.saw(&nodes);
            }
            drop(app);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_node_decides() {
        let room = Capacity::new(0);
        room.saw(&[(50, 0), (70, 0)]);
        assert_eq!((room.check().is_ok(), room.used(), room.limit()), (true, 70, None), "nobody said a limit");
        room.saw(&[(899, 1000), (10, 1000)]);
        assert_eq!((room.check().is_ok(), room.used(), room.limit()), (true, 899, Some(900)));
        room.saw(&[(10, 1000), (901, 1000)]);
        let refused = room.check().expect_err("one is full");
        assert_eq!((refused.code(), refused.retry_after_s(), room.used()), (Code::StorageFull, Some(5), 901));
        room.saw(&[]);
        assert!(room.check().is_err(), "nothing was seen");
        room.saw(&[(900, 1000)]);
        assert!(room.check().is_ok());
        let room = Capacity::new(500);
        room.saw(&[(501, 1_000_000)]);
        assert_eq!((room.check().is_err(), room.limit()), (true, Some(500)), "the operator's own limit wins");
    }
}
