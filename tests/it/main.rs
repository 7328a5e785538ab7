//! All integration tests, in one binary: it links once, and its tests share one `redis-server`.
//!
//! - `support/`: servers, replicas and clients for tests. Start with [`support::fleet::Fleet`].
//! - `api/`: one file an operation, named like its URL.
//! - `lua/`: one file a script, run alone on a Redis in cluster mode.
//! - `duty/`: what one worker does for the whole fleet.
//! - `fleet/`: what must hold over several replicas: races, killed replicas, waiting.
//! - `contract/`: documents equal code.
//! - `load/`: the k6 scenarios of `loadtest/k6`, and whether they notice what is broken.
//! - `rooms/`: encrypted rooms: calls, life, limits, scripts.
//! - `telemetry/`: traces, with a collector on loopback; the page of metrics as a set; lines of the log.
//! - `topology/`: Sentinel and clusters of several servers, TLS, ACL: what works on one Redis works there, and goes on after a failover.
//! - `webhooks/`: what workers push, with receivers on loopback.
//! - `doctor.rs`: `backchannel doctor` before good and bad servers.
//! - `documents/`: what is served to agents and people, and its commands run as printed.
//!
//! ```text
//! #[tokio::test]
//! async fn a_second_actor_is_told_who_holds_it() {
//!     let fleet = Fleet::start(2).await;
//!     let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
//!     let channel = poster.channel("claimable").await;
//!     let message = poster.post_message(&channel, "a task").await;
//!     worker.claim(&message).await.ok(200);
//!     late.claim(&message).await.refused(409, "already_claimed");
//!     fleet.finish().await;
//! }
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

mod api;
mod contract;
mod doctor;
mod documents;
mod duty;
mod faults;
mod fleet;
mod history;
mod load;
mod lua;
mod rooms;
mod telemetry;
mod topology;
mod webhooks;
