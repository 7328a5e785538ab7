//! What a handler can reach, and how a replica starts.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::actors::ActorCache;
use crate::api_keys::cache::KeyCache;
use crate::api_keys::news::{self, KeyNews};
use crate::channels::NameCache;
use crate::documents;
use crate::ids::KeyId;
use crate::observe::Metrics;
use crate::rooms;
use crate::sandbox;
use crate::schemas::SchemaCache;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::store::capacity::{self, Capacity};
use crate::store::reach::Reach;
use crate::store::{Keyspace, Redis, scripts};
use crate::usage::budget::Budget;
use crate::usage::holdings::Holdings;
use crate::usage::leases::Leases;
use crate::usage::{self, HeldCache, Tally};
use crate::wait::hub::{FixedEvent, Hub, HubConfig};
use crate::wait::waiting::{Most, Waiting};
use crate::webhooks::guard::Guard;
use crate::webhooks::{Announced, HandOvers};

/// The state of one replica. Nothing in it matters to correctness: a replica may be killed at any instant.
pub type App = Arc<AppState>;

/// See [`App`].
pub struct AppState {
    pub settings: Settings,
    pub redis: Redis,
    pub keys: Keyspace,
    pub hub: Arc<Hub>,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
    /// What goes on when its request is gone: claims that are given back, events on their way into an audit, outboxes handed over.
    pub background: TaskTracker,
    pub key_cache: KeyCache,
    /// Which keys other replicas are changing.
    pub key_news: KeyNews,
    pub actor_cache: ActorCache,
    pub name_cache: NameCache,
    /// What channels ask of metadata.
    pub schemas: SchemaCache,
    /// Channels that this replica put into the index of outboxes a short while ago.
    pub announced: Announced,
    /// Channels whose outboxes this replica hands over at the moment.
    pub hand_overs: HandOvers,
    /// Where webhooks may lead.
    pub webhook_guard: Guard,
    /// What keys did since this was last added to their counters in Redis.
    pub tally: Tally,
    pub held_cache: HeldCache,
    /// Which keys have posted enough today.
    pub budget: Budget,
    /// Leases that keys were given, moved and saw end, and which keys are near their limit of them.
    pub leases: Leases,
    /// What channels held when a post looked, for the ledgers of their owners.
    pub holdings: Holdings,
    /// Since when Redis does not answer.
    pub reach: Reach,
    /// Whether Redis has room for more.
    pub capacity: Capacity,
    /// Requests that are held open, by key.
    pub waiting: Waiting,
    /// What this replica keeps of rooms: what it refused, which ones it changed.
    pub rooms: rooms::Local,
}

/// Starts a replica's connections and tasks. Redis need not be there yet: until it is, the replica is alive but not ready.
///
/// # Errors
/// When the settings cannot be used, or a script's header contradicts the program.
pub async fn start(settings: Settings, shutdown: Shutdown) -> anyhow::Result<App> {
    scripts::check().map_err(|e| anyhow::anyhow!("{}", e.log_cause().unwrap_or("a script does not fit")))?;
    documents::check().map_err(|e| anyhow::anyhow!("{}", e.log_cause().unwrap_or("a document does not fit")))?;
    rooms::pages::check(&settings).map_err(|e| anyhow::anyhow!("{}", e.log_cause().unwrap_or("a page does not fit")))?;
    documents::began();
    let target = settings.redis_url.clone();
    let metrics = Metrics::new()?;
    let terms = settings.replication_terms();
    let redis = Redis::start(&target, settings.redis_connections, settings.redis_timeout, terms, metrics.redis.clone())?;
    // More topics than waiters: who waits for a receipt has two, those that were left linger, and must not take the places of who waits now.
    let room = HubConfig::new(target.clone());
    let max_topics = room.max_topics.max(settings.longpoll_max_waiters.saturating_mul(4));
    let hub = Hub::start(HubConfig { max_topics, confirm_within: settings.redis_timeout, ..room })?;
    let (max_redis_bytes, max_bytes_per_day) = (settings.max_redis_bytes, settings.max_bytes_per_key_per_day);
    let (max_leases, max_bytes) = (settings.max_leases_per_key, settings.max_bytes_per_key);
    let most_waiters = Most { all: settings.longpoll_max_waiters, of_one: settings.longpoll_max_waiters_per_key };
    let app = Arc::new(AppState {
        keys: Keyspace::new(&settings.key_prefix),
        webhook_guard: Guard::of(&settings),
        settings,
        redis,
        hub,
        metrics,
        shutdown,
        background: TaskTracker::new(),
        key_cache: KeyCache::new(),
        key_news: KeyNews::default(),
        actor_cache: ActorCache::new(),
        name_cache: NameCache::new(),
        schemas: SchemaCache::new(),
        announced: Announced::new(),
        hand_overs: HandOvers::default(),
        tally: Tally::new(),
        held_cache: HeldCache::new(),
        budget: Budget::new(max_bytes_per_day),
        leases: Leases::new(max_leases),
        holdings: Holdings::new(max_bytes),
        reach: Reach::default(),
        capacity: Capacity::new(max_redis_bytes),
        waiting: Waiting::new(most_waiters),
        rooms: rooms::Local::default(),
    });
    listen_for_changes(&app);
    news::start(&app);
    usage::start(&app);
    capacity::start(&app);
    sandbox::offer(&app);
    rooms::survey::start(&app);
    Ok(app)
}

/// What replicas publish when names or aliases were freed, or webhooks of actors changed.
const NAMES_CHANGED: &str = "names";

/// Tells every replica that a key was revoked or narrowed. A lost message costs a second: caches keep nothing longer.
pub async fn tell_of_changed_key(app: &App, key: &KeyId) {
    app.forget_key(key.as_str());
    tell_fleet(app, key.as_str()).await;
}

/// Tells every replica that names of channels or aliases stand for something else now, or that an actor's webhook changed.
pub async fn tell_of_changed_names(app: &App) {
    app.forget_names();
    tell_fleet(app, NAMES_CHANGED).await;
}

async fn tell_fleet(app: &App, word: &str) {
    if let Err(failure) = app.redis.shard_publish(&app.keys.invalidation_topic(), word).await {
        tracing::warn!(?failure, "other replicas learn of a change within a second instead of at once");
    }
}

/// What another replica changed is forgotten here at once.
fn listen_for_changes(app: &App) {
    let weak = Arc::downgrade(app);
    app.hub.subscribe_fixed(
        &app.keys.invalidation_topic(),
        Arc::new(move |event| {
            let Some(app) = weak.upgrade() else { return };
            match event {
                FixedEvent::Message(word) if word == NAMES_CHANGED => app.forget_names(),
                FixedEvent::Message(key) => app.forget_key(&key),
                FixedEvent::Lost => {
                    app.key_cache.forget_all();
                    app.key_news.missed();
                    app.forget_names();
                }
            }
        }),
    );
}

impl AppState {
    /// A revoked key takes its actors with it.
    fn forget_key(&self, key: &str) {
        self.key_cache.forget(key);
        self.key_news.told(key);
        self.actor_cache.forget_what_may_change();
    }

    fn forget_names(&self) {
        self.name_cache.forget_all();
        self.actor_cache.forget_what_may_change();
    }

    /// Whether this replica can serve: not leaving, Redis answers, and it does not evict what we keep.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub async fn ready(&self) -> Result<(), String> {
        if self.shutdown.begun() {
            return Err("this replica is shutting down".into());
        }
        if !self.ping().await && (!self.reach.ever() || self.reach.gone_for(self.settings.unready_after)) {
            return Err("Redis does not answer".to_owned());
        }
        match self.redis.eviction_policy().await {
            Ok(Some(policy)) if policy != "noeviction" => Err(format!(
                "Redis' maxmemory-policy is {policy}: an evicted claim record would hand a task out twice. Set it to noeviction"
            )),
            _ => Ok(()),
        }
    }

    /// Whether Redis was reached once since this replica began; asks, if it was not. Until then nobody can know whether the settings are right.
    pub async fn started(&self) -> bool {
        self.reach.ever() || self.ping().await
    }

    /// Whether Redis answers now.
    pub async fn ping(&self) -> bool {
        let answered = self.redis.ping().await.is_ok();
        self.metrics.redis.is_up(answered);
        self.reach.saw(answered);
        answered
    }

    /// Ends the tasks of this replica, after its requests have ended.
    pub async fn close(self: &Arc<Self>) {
        self.background.close();
        let left = tokio::time::timeout(self.settings.redis_timeout * 3, self.background.wait()).await;
        if left.is_err() {
            tracing::warn!(
                tasks = self.background.len(),
                "leaving while claims of clients that hung up are not given back yet, or events are not in an audit"
            );
        }
        // As long as Redis answers; nobody waits for counters.
        let _ = tokio::time::timeout(self.settings.redis_timeout * 2, usage::flush(self)).await;
        self.hub.close().await;
        self.redis.close();
    }
}
