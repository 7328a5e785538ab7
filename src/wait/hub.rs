//! The hub: one a replica, topic → waiters. Subscribes for the first waiter of a topic and leaves a while after the
//! last.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    map::Topics,
    reconcile,
    topic::{Subscribed, Topic, Wake},
};
use crate::store::pubsub::{Event, Events, PubSub, PubSubError};
use crate::store::target::RedisTarget;

/// Subscribing commands on their way at the same time. Ten thousand topics take about a second this way.
pub(super) const WIDE: usize = 64;
/// Between attempts to subscribe that Redis refuses at once.
const RETRY: Duration = Duration::from_millis(100);

/// How the hub behaves. [`HubConfig::new`] has the values for production.
#[derive(Clone)]
pub struct HubConfig {
    /// Where Redis is.
    pub target: RedisTarget,
    /// How long a topic stays subscribed after its last waiter has left, because agents poll again. 30 s.
    pub linger: Duration,
    /// How long a waiter waits for Redis to confirm its subscription. 1.5 s, unless the operator gives all commands another time.
    pub confirm_within: Duration,
    /// How often Redis is asked what it holds for us, to notice lost subscriptions. 1 s.
    pub check_every: Duration,
    /// Topics that are subscribed or linger; one more is refused. 100,000.
    pub max_topics: usize,
}

impl HubConfig {
    /// The values for production.
    pub fn new(target: RedisTarget) -> Self {
        Self {
            target,
            linger: Duration::from_secs(30),
            confirm_within: Duration::from_millis(1500),
            check_every: Duration::from_secs(1),
            max_topics: 100_000,
        }
    }
}

/// Why nobody can wait now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The target is not one that the subscribing client understands.
    #[error("{0}")]
    Target(String),
    /// Redis did not confirm the subscription in time. Try again.
    #[error("redis did not confirm the subscription in time")]
    Unavailable,
    /// The replica waits on as many topics as it may. Try again, at best elsewhere.
    #[error("too many topics are waited on")]
    Full,
    /// The replica is leaving.
    #[error("the hub is closed")]
    Closed,
}

/// What happens at a topic that is kept for ever ([`Hub::subscribe_fixed`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixedEvent {
    /// A message, as text.
    Message(String),
    /// Messages may have been missed: the connection broke or came back, the subscription was renewed, messages were
    /// dropped unread.
    Lost,
}

/// Called from the hub's own tasks: must be quick and must not block.
pub type Listener = Arc<dyn Fn(FixedEvent) + Send + Sync>;

/// Gauges and counters of a replica's hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Topics that are subscribed, about to be, or linger.
    pub topics: u64,
    /// Waiters at all topics together.
    pub waiters: u64,
    /// Wake-up messages that came from Redis.
    pub wakes_total: u64,
    /// Messages that were dropped because the replica did not keep up; everybody was woken then.
    pub lagged_total: u64,
    /// Subscriptions that were put back after a loss or to be sure.
    pub resubscribed_total: u64,
    /// Whether the subscribing connection is up.
    pub connected: bool,
}

/// See the [module](super). Its tasks run until [`Hub::close`].
pub struct Hub {
    pub(super) config: HubConfig,
    pub(super) pubsub: PubSub,
    topics: Mutex<Topics>,
    pub(super) tally: Tally,
    /// Rung when subscriptions are missing for sure.
    pub(super) resync: Notify,
    pub(super) stop: CancellationToken,
}

/// Counters; those for reconciling are explained there.
#[derive(Default)]
pub(super) struct Tally {
    /// Topics whose subscription is confirmed.
    pub confirmed: AtomicU64,
    /// How often a topic began to be left.
    pub left: AtomicU64,
    /// How often a topic was entered in the map.
    pub entered: AtomicU64,
    /// Connections made.
    pub connections: AtomicU64,
    pub resubscribed: AtomicU64,
    waiters: AtomicU64,
    wakes: AtomicU64,
    lagged: AtomicU64,
}

impl Hub {
    /// Starts the hub and its tasks; Redis need not be there yet. Fails only on a target that cannot be understood. Call
    /// within a tokio runtime.
    pub fn start(config: HubConfig) -> Result<Arc<Self>, HubError> {
        let (pubsub, events) = PubSub::connect(&config.target).map_err(|e| HubError::Target(e.to_string()))?;
        let hub = Arc::new(Self {
            config,
            pubsub,
            topics: Mutex::default(),
            tally: Tally::default(),
            resync: Notify::new(),
            stop: CancellationToken::new(),
        });
        tokio::spawn(listen(hub.clone(), events));
        tokio::spawn(reconcile::run(hub.clone()));
        tokio::spawn(sweep(hub.clone()));
        Ok(hub)
    }

    /// Takes a place at a topic. Returns once Redis has confirmed the subscription; the second waiter of a topic waits
    /// for the same confirmation. Dropping the future leaves no trace but a lingering subscription.
    pub async fn topic(self: &Arc<Self>, name: &str) -> Result<Subscribed, HubError> {
        let place = self.enter(name)?;
        if !place.topic.is_subscribed() {
            let confirmed = timeout(self.config.confirm_within, self.confirm(&place.topic));
            tokio::select! {
                _ = self.stop.cancelled() => return Err(HubError::Closed),
                confirmed = confirmed => confirmed.map_err(|_| HubError::Unavailable)?,
            }
            place.begin();
        }
        Ok(place)
    }

    /// A place at a topic that is subscribed already: nothing is asked of Redis. None where it is not.
    pub fn standing(self: &Arc<Self>, name: &str) -> Option<Subscribed> {
        self.find(name).filter(|topic| topic.is_subscribed())?;
        // It may be left in this moment; once we are counted in, it is not.
        self.enter(name).ok().filter(|place| place.topic.is_subscribed())
    }

    /// Keeps `topic` subscribed for ever and tells `listener` of every message (SPUBLISH) and of every moment at which
    /// one may have been missed. The subscription is made in the background; the first [`FixedEvent::Lost`] says that
    /// it stands.
    pub fn subscribe_fixed(self: &Arc<Self>, topic: &str, listener: Listener) {
        self.topics.lock().place(topic, &self.tally).listen(listener);
        self.resync.notify_one();
    }

    /// The state of the hub now.
    pub fn stats(&self) -> Stats {
        Stats {
            topics: self.held(),
            waiters: self.tally.waiters.load(Relaxed),
            wakes_total: self.tally.wakes.load(Relaxed),
            lagged_total: self.tally.lagged.load(Relaxed),
            resubscribed_total: self.tally.resubscribed.load(Relaxed),
            connected: self.pubsub.is_connected(),
        }
    }

    /// Ends the tasks and the connection, and wakes everybody. Takes at most half a second.
    pub async fn close(&self) {
        self.stop.cancel();
        self.all_topics().iter().for_each(|topic| topic.wake(Wake::All));
        self.pubsub.close().await;
    }

    fn enter(self: &Arc<Self>, name: &str) -> Result<Subscribed, HubError> {
        if self.stop.is_cancelled() {
            return Err(HubError::Closed);
        }
        let mut topics = self.topics.lock();
        if topics.by_name.len() >= self.config.max_topics && !topics.by_name.contains_key(name) {
            return Err(HubError::Full);
        }
        let topic = topics.place(name, &self.tally);
        topic.handles.fetch_add(1, SeqCst);
        self.tally.waiters.fetch_add(1, Relaxed);
        Ok(Subscribed::new(self.clone(), topic))
    }

    pub(super) fn leave(&self, topic: &Topic) {
        self.tally.waiters.fetch_sub(1, Relaxed);
        let mut topics = self.topics.lock();
        if topic.handles.fetch_sub(1, SeqCst) > 1 {
            return;
        }
        topic.flights.forget_finished();
        topic.forget_carried();
        if topic.is_over() {
            topics.end(&topic.name, self.config.linger);
        } else {
            topics.rest(&topic.name, self.config.linger);
        }
    }

    /// Subscribes unless somebody did while we queued for it. Ends with success or by being dropped.
    async fn confirm(&self, topic: &Topic) {
        let _link = topic.link.lock().await;
        while !topic.is_subscribed() {
            match self.ssubscribe(topic).await {
                Ok(()) => self.mark_subscribed(topic),
                Err(error) => {
                    tracing::debug!(%error, "subscription not confirmed");
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// SSUBSCRIBE; an answer that was meant for another command makes us start with a fresh connection.
    pub(super) async fn ssubscribe(&self, topic: &Topic) -> Result<(), PubSubError> {
        let done = self.pubsub.ssubscribe(&topic.name).await;
        if let Err(error @ PubSubError::Confused(_)) = &done {
            tracing::warn!(%error, "subscriber connection is out of step");
            self.pubsub.renew(true).await;
        }
        done
    }

    /// Only with `topic.link` held.
    pub(super) fn mark_subscribed(&self, topic: &Topic) {
        if !topic.subscribed.swap(true, SeqCst) {
            self.tally.confirmed.fetch_add(1, SeqCst);
        }
    }

    /// Leaves a topic that has nobody, unless somebody comes in between.
    async fn unsubscribe(&self, topic: Arc<Topic>) {
        let _link = topic.link.lock().await;
        {
            // Under the lock under which waiters enter: who entered before is counted, who enters later finds the topic
            // not subscribed and queues for `link`.
            let _topics = self.topics.lock();
            if topic.is_wanted() {
                return;
            }
            self.tally.left.fetch_add(1, SeqCst);
            if topic.subscribed.swap(false, SeqCst) {
                self.tally.confirmed.fetch_sub(1, SeqCst);
            }
        }
        // Also if it was never confirmed: the command may have arrived all the same. Without a connection there is no
        // subscription to end.
        let ended = !self.pubsub.is_connected() || self.pubsub.sunsubscribe(&topic.name).await.is_ok();
        let mut topics = self.topics.lock();
        if topic.is_wanted() {
            return;
        }
        if ended {
            topics.by_name.remove(&topic.name);
        } else {
            topics.rest(&topic.name, self.config.linger); // and again
        }
    }

    /// Topics in the map: all that Redis can hold for us.
    pub(super) fn held(&self) -> u64 {
        self.topics.lock().by_name.len() as u64
    }

    pub(super) fn all_topics(&self) -> Vec<Arc<Topic>> {
        self.topics.lock().by_name.values().map(|place| place.topic.clone()).collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.lock().by_name.get(name).map(|place| place.topic.clone())
    }

    fn on(&self, event: Event) {
        match event {
            Event::Message { topic, payload } => {
                self.tally.wakes.fetch_add(1, Relaxed);
                if let Some(topic) = self.find(&topic) {
                    topic.deliver(payload);
                }
            }
            Event::Lagged(missed) => {
                self.tally.lagged.fetch_add(missed, Relaxed);
                tracing::warn!(missed, "wake-ups were dropped, all waiters read again");
                self.all_topics().iter().for_each(|topic| topic.lost());
            }
            // Waiters have nothing to read while Redis is away; what must forget, forgets at once.
            Event::Disconnected => self.tell_fixed(&FixedEvent::Lost),
            // Waking is left to the reconciler: after the topic is subscribed again, or a waiter would sleep through
            // what comes in between.
            Event::Reconnected => {
                self.tally.connections.fetch_add(1, SeqCst);
                self.tell_fixed(&FixedEvent::Lost);
                self.resync.notify_one();
            }
            Event::TopologyChanged => self.resync.notify_one(),
        }
    }

    fn tell_fixed(&self, event: &FixedEvent) {
        self.all_topics().iter().for_each(|topic| topic.tell(event));
    }
}

async fn listen(hub: Arc<Hub>, mut events: Events) {
    loop {
        tokio::select! {
            _ = hub.stop.cancelled() => return,
            event = events.next() => match event {
                Some(event) => hub.on(event),
                None => return,
            },
        }
    }
}

async fn sweep(hub: Arc<Hub>) {
    let pause = (hub.config.linger / 10).clamp(Duration::from_millis(10), Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = hub.stop.cancelled() => return,
            _ = sleep(pause) => {}
        }
        let due = hub.topics.lock().take_due(Instant::now(), hub.config.linger);
        stream::iter(due).for_each_concurrent(WIDE, |topic| hub.unsubscribe(topic)).await;
    }
}
