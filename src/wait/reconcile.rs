//! Subscriptions get lost without a word: with the connection, with a slot that moves, with a node. Here that is
//! noticed, and put right.
//!
//! Noticed by events (a new connection, a changed topology) and by asking Redis about every second how many topics it
//! holds for us, and in a cluster whether who holds them is a primary still. Put right by subscribing to everything again, which is harmless where it still stands, and waking the
//! waiters of each topic once it does.

use std::{
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};

use super::{
    hub::{Hub, WIDE},
    topic::Topic,
};

/// Before the next attempt while subscriptions are missing.
const RETRY: Duration = Duration::from_millis(50);
/// Checks that fail in a row before the connection is renewed.
const PATIENCE: u32 = 3;
/// Where the server does not count (Redis before 7.0.3), everything is subscribed again this often.
const BLIND: Duration = Duration::from_secs(25);

/// What is known of the connection's health.
struct Health {
    /// Checks in a row in which the numbers differed.
    differed: u32,
    /// Checks in a row that failed or were not answered on this connection.
    failed: u32,
    /// Which connection that was.
    connection: u64,
    /// When the last check began: one that had to wait for its answer is followed by the next at once.
    checked_at: Instant,
    all_subscribed_at: Instant,
}

impl Health {
    /// Numbers that never agree (a proxy that counts otherwise) are asked for less and less, down to every 32nd time.
    fn pause(&self, every: Duration) -> Duration {
        every * (1 << self.differed.saturating_sub(PATIENCE).min(5))
    }
}

pub(super) async fn run(hub: Arc<Hub>) {
    let mut health = Health { differed: 0, failed: 0, connection: 0, checked_at: Instant::now(), all_subscribed_at: Instant::now() };
    let mut missing: Vec<Arc<Topic>> = Vec::new();
    loop {
        let due = health.checked_at + health.pause(hub.config.check_every);
        let next = if missing.is_empty() { due } else { Instant::now() + RETRY };
        tokio::select! {
            _ = hub.stop.cancelled() => return,
            _ = hub.resync.notified() => missing = hub.all_topics(),
            // Also while subscriptions are missing: what does not answer them may be the connection.
            _ = sleep_until(next) => if Instant::now() >= due && hub.is_something_missing(&mut health).await {
                missing = hub.all_topics();
            },
        }
        // Until it is connected the commands would only queue and time out.
        if !missing.is_empty() && hub.pubsub.is_connected() {
            missing = hub.subscribe_again(missing).await;
            health.all_subscribed_at = Instant::now();
        }
    }
}

impl Hub {
    /// Compares what Redis holds for us with what we believe, while topics come and go.
    async fn is_something_missing(&self, health: &mut Health) -> bool {
        health.checked_at = Instant::now();
        if !self.pubsub.is_connected() {
            (health.differed, health.failed) = (0, 0);
            return false; // the next connection starts it all
        }
        let connection = self.tally.connections.load(SeqCst);
        if std::mem::replace(&mut health.connection, connection) != connection {
            health.failed = 0; // a new one gets the same patience, and is replaced as soon
        }
        let (confirmed, held) = (self.tally.confirmed.load(SeqCst), self.held());
        let (left, entered) = (self.tally.left.load(SeqCst), self.tally.entered.load(SeqCst));
        let counted = match self.pubsub.subscription_count().await {
            Ok(Some(counted)) => counted,
            Ok(None) => return health.all_subscribed_at.elapsed() > BLIND,
            Err(error) => {
                health.failed += 1;
                if health.failed == PATIENCE || health.failed.is_multiple_of(10 * PATIENCE) {
                    tracing::warn!(%error, failed = health.failed, "subscriber connection renewed, it does not answer");
                    self.pubsub.renew(false).await;
                }
                return false;
            }
        };
        health.failed = 0;
        if self.pubsub.strays().await.unwrap_or(false) {
            tracing::info!("a server that is subscribed at is no primary any more, subscribing at those that are");
            self.pubsub.renew(false).await;
            return true;
        }
        // Between the two looks some may have been left and others begun: what is outside of these bounds is wrong for
        // sure. Every check has new ones.
        let at_least = confirmed.saturating_sub(self.tally.left.load(SeqCst) - left);
        let at_most = held + (self.tally.entered.load(SeqCst) - entered);
        if (at_least..=at_most).contains(&counted) {
            health.differed = 0;
            return false;
        }
        health.differed += 1;
        tracing::info!(counted, at_least, at_most, "subscriptions differ from what redis holds, subscribing again");
        if health.differed == PATIENCE {
            self.pubsub.renew(true).await; // subscribing again did not help
        }
        true
    }

    /// Subscribes to `topics` again and wakes each one that stands. Returns those that do not.
    async fn subscribe_again(&self, topics: Vec<Arc<Topic>>) -> Vec<Arc<Topic>> {
        let connection = self.tally.connections.load(SeqCst);
        let outcomes = stream::iter(topics).map(|topic| async move {
            // Another connection, or none: what follows would be in vain. The event of the new one starts over.
            let same = self.tally.connections.load(SeqCst) == connection && !self.stop.is_cancelled();
            if same && self.pubsub.is_connected() && self.put_back(&topic).await { None } else { Some(topic) }
        });
        let mut missing: Vec<_> = outcomes.buffer_unordered(WIDE).filter_map(std::future::ready).collect().await;
        missing.retain(|topic| topic.is_subscribed() || topic.is_fixed());
        missing
    }

    /// True if the topic stands, or nobody wants it.
    async fn put_back(&self, topic: &Topic) -> bool {
        let _link = topic.link.lock().await;
        if !topic.is_subscribed() && !topic.is_fixed() {
            return true; // being left, or its first waiter is about to subscribe
        }
        if let Err(error) = self.ssubscribe(topic).await {
            tracing::debug!(%error, "subscription not put back");
            return false;
        }
        self.mark_subscribed(topic);
        self.tally.resubscribed.fetch_add(1, Relaxed);
        topic.lost();
        true
    }
}
