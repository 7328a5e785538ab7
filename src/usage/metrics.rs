//! `GET /v1/observability/metrics`

use std::time::Duration;

use axum::extract::State;
use deadpool_redis::redis::Value;
use futures::{StreamExt, TryStreamExt};
use moka::sync::Cache;
use serde::Serialize;
use utoipa::ToSchema;

use super::{of_a_read, send};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Caller};
use crate::ids::{ChannelId, KeyId};
use crate::operation::{Auth, Operation};
use crate::store::reply::text_of;
use crate::store::scripts;

pub static OBSERVABILITY_METRICS: Operation = Operation {
    id: "observabilityMetrics",
    method: "GET",
    path: "/v1/observability/metrics",
    tag: "Observability",
    summary: "Count what the calling key has and did",
    about: "Counters begin with the key and only rise. Requests at other replicas show up some seconds later. Messages are counted in \
            at most 200 of the key's channels (channels_counted says in how many), and that count may be 5 seconds old.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<KeyMetrics>)),
    also: None,
    scripts: &[&scripts::USAGE_ADD, &scripts::USAGE_OVERVIEW],
    refusals: &[],
};

/// Most channels that are looked into for one answer.
const MOST_CHANNELS: u64 = 200;
/// How many of them at the same time.
const AT_ONCE: usize = 16;
/// For how long a count of messages is good: asking often must not cost more than asking now and then.
const LIFE: Duration = Duration::from_secs(5);

/// What a key has and did.
#[derive(Serialize, ToSchema)]
pub struct KeyMetrics {
    channels_owned: u64,
    /// Messages these channels hold now, expired ones within their retention included.
    messages_in_owned_channels: u64,
    /// Those of them, on claimable channels, that were claimed at least once.
    messages_claimed_in_owned_channels: u64,
    /// In how many channels messages were counted: at most 200.
    channels_counted: u64,
    active_sessions: u64,
    /// Requests answered, refused ones included.
    requests: u64,
    /// Messages taken.
    claims: u64,
    /// Messages acknowledged.
    acks: u64,
    /// Requests answered with a 4xx or 5xx.
    errors: u64,
}

/// What the channels of a key hold.
#[derive(Clone, Copy, Default)]
struct Held {
    channels: u64,
    messages: u64,
    claimed: u64,
}

/// What the channels of keys held a moment ago.
pub struct HeldCache(Cache<KeyId, Held>);

impl Default for HeldCache {
    fn default() -> Self {
        Self::new()
    }
}

impl HeldCache {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(LIFE).build())
    }
}

pub async fn handle(State(app): State<App>, caller: Caller) -> Result<Answer> {
    // What this replica has counted so far belongs to the answer.
    let counts = send(&app, &caller.key, app.tally.keys.take(&caller.key)).await.map_err(of_a_read)?;
    let slot = app.keys.key(&caller.key);
    let owned = scripts::USAGE_OVERVIEW
        .on(&slot)
        .key("channels", caller.key.as_str())
        .key("sessions", caller.key.as_str())
        .key("session_index", caller.key.as_str())
        .int("most", MOST_CHANNELS)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let held = match app.held_cache.0.get(&caller.key) {
        Some(known) => known,
        None => {
            let held = held(&app, &caller.key, owned.list(2)?).await?;
            app.held_cache.0.insert(caller.key.clone(), held);
            held
        }
    };
    Answer::ok(&KeyMetrics {
        channels_owned: owned.uint(0)?,
        messages_in_owned_channels: held.messages,
        messages_claimed_in_owned_channels: held.claimed,
        channels_counted: held.channels,
        active_sessions: owned.uint(1)?,
        requests: counts.requests,
        claims: counts.claims,
        acks: counts.acks,
        errors: counts.errors,
    })
}

/// Looks into these channels, a few at a time.
async fn held(app: &App, key: &KeyId, channels: &[Value]) -> Result<Held> {
    let ids = channels.iter().filter_map(text_of).filter_map(|id| ChannelId::parse(&id));
    let each = futures::stream::iter(ids.map(|id| async move { held_by(app, key, &id).await })).buffer_unordered(AT_ONCE);
    let add = |sum: Held, one: Held| async move {
        Ok(Held { channels: sum.channels + one.channels, messages: sum.messages + one.messages, claimed: sum.claimed + one.claimed })
    };
    each.try_fold(Held::default(), add).await
}

/// Nothing where a name leads to no channel: it was deleted by a replica that died before it freed the name.
async fn held_by(app: &App, key: &KeyId, id: &ChannelId) -> Result<Held> {
    let slot = app.keys.channel(id);
    match scripts::USAGE_CHANNEL.on(&slot).arg("key", key.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) => Ok(Held { channels: 1, messages: reply.uint(0)?, claimed: reply.uint(1)? }),
        Err(e) if e.code() == Code::ChannelNotFound => Ok(Held::default()),
        Err(e) => Err(e),
    }
}
