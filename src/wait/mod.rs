//! Waiting: a held request sleeps until something happened in its channel, at the cost of a subscription a topic, not a
//! poll.
//!
//! Where to read on:
//! - `hub.rs`: one [`Hub`] a replica, topic → waiters; subscribing, lingering, leaving.
//! - `map.rs`: which topics there are, and how long they have had nobody.
//! - `topic.rs`: what a waiter holds ([`Subscribed`]) and how wake-ups are handed out: to all list waiters, to one
//!   claim waiter ([`Turn`]).
//! - `flight.rs`: one read for all waiters of a topic ([`Subscribed::shared_read`]).
//! - `reconcile.rs`: noticing lost subscriptions and putting them back.
//! - `waiting.rs`: how many requests may be held, in all and of one key.
//! - `store/pubsub.rs`: the connection below.
//!
//! **A wake is a hint; the store is the truth.** It may carry what was written ([`Subscribed::carried`]), for who can tell that it
//! misses nothing by taking that for an answer. So the order is subscribe, *then* read, then sleep,
//! and every way in which a hint may have been lost (reconnect, lag, a slot that moved) wakes everybody. What is left
//! is covered by [`recheck_delay`].
//!
//! A list waiter:
//!
//! ```text
//! let topic = hub.topic(&name).await?;                  // Redis has confirmed; from here on nothing is missed
//! let mut seen = topic.seq();
//! loop {
//!     let page = topic.shared_read(&query_key, seen, || read(app, query)).await;
//!     if !page.is_empty() || shutdown.begun() { return page }
//!     if let Some(ends_in) = page.earliest_lease { topic.wake_after(ends_in) }
//!     tokio::select! {
//!         now = topic.changed(seen) => seen = now,
//!         _ = sleep(recheck_delay()) => {}
//!         _ = shutdown.signal() => {}
//!         _ = sleep_until(deadline) => return page,
//!     }
//! }
//! ```
//!
//! Who cares only for what concerns everybody at a topic asks [`Subscribed::changed_for_all`].
//!
//! A claim waiter asks [`Subscribed::claim_turn`] instead, tries to claim, and calls [`Turn::spend`] if there was
//! nothing. In every other case (it claimed, it failed, its client hung up) the turn is dropped, which passes it to the
//! next. At first, and after a recheck, it tries without a turn, and calls [`Subscribed::pass_turn`] if it got
//! something.

use std::time::Duration;

mod flight;
pub mod hub;
mod map;
mod reconcile;
#[cfg(test)]
mod tests;
pub mod topic;
pub mod waiting;

pub use hub::{FixedEvent, Hub, HubConfig, HubError, Listener, Stats};
pub use topic::{Subscribed, Turn};

/// How long a waiter sleeps at most before it reads again without a hint: 25 s ± 20 %, so that the waiters of a replica
/// do not come all at once.
pub fn recheck_delay() -> Duration {
    Duration::from_millis(rand::random_range(20_000..=30_000))
}
