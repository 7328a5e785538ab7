//! Redis and the network in trouble: 503 with a code, no hang, no double effect, whole again without a restart.
//!
//! Each test has a Redis of its own, breaks it in one way under traffic, mends it, and looks at what became of every
//! request (`ledger.rs`).

mod black_hole;
pub mod failover;
mod frozen;
pub mod ledger;
pub mod loss;
mod lost_replies;
mod refusing_redis;
mod replicated;
mod restarted_redis;
mod subscriber;
