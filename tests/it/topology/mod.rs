//! Redis in its other forms: Sentinel, clusters of several servers, TLS, an ACL user. What works on one server works there, and
//! goes on after a failover and while slots move.

mod access;
mod cluster;
pub mod core;
mod failover;
mod hand_over;
mod planned;
mod replicated;
mod reshard;
pub mod sentinels;
mod suites;
mod through_failover;

use std::time::Duration;

/// On two cores that are shared with other tests.
const SOON: Duration = Duration::from_secs(30);
/// Until a silent server counts as dead, where one is killed: `down-after-milliseconds`, `cluster-node-timeout`.
pub const FAILOVER_MS: u32 = 2000;
