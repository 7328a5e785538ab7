//! What the channels of a key hold, looked up a few at a time and remembered for some seconds.

use std::time::Duration;

use deadpool_redis::redis::Value;
use futures::{StreamExt, TryStreamExt};
use moka::sync::Cache;

use crate::app::App;
use crate::error::{Code, Result};
use crate::ids::{ChannelId, KeyId};
use crate::store::reply::text_of;
use crate::store::scripts;

/// Most channels that are looked into for one answer.
pub const MOST_CHANNELS: u64 = 200;
/// How many of them at the same time.
const AT_ONCE: usize = 16;
/// For how long it is good: asking often must not cost more than asking now and then.
const LIFE: Duration = Duration::from_secs(5);

/// What the channels of a key hold: sums, and of what is limited a channel the most that one of them has.
#[derive(Clone, Copy, Default)]
pub struct Held {
    pub channels: u64,
    pub messages: u64,
    pub claimed: u64,
    pub bytes: u64,
    pub most_messages: u64,
    pub most_bytes: u64,
    pub most_leases: u64,
    pub most_members: u64,
    pub most_requests: u64,
    pub most_invitations: u64,
    pub most_aliases: u64,
}

impl Held {
    fn and(self, one: Self) -> Self {
        Self {
            channels: self.channels + one.channels,
            messages: self.messages + one.messages,
            claimed: self.claimed + one.claimed,
            bytes: self.bytes + one.bytes,
            most_messages: self.most_messages.max(one.most_messages),
            most_bytes: self.most_bytes.max(one.most_bytes),
            most_leases: self.most_leases.max(one.most_leases),
            most_members: self.most_members.max(one.most_members),
            most_requests: self.most_requests.max(one.most_requests),
            most_invitations: self.most_invitations.max(one.most_invitations),
            most_aliases: self.most_aliases.max(one.most_aliases),
        }
    }
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

/// A key's counts, and what its channels hold, the latter up to 5 seconds old.
pub struct Overview {
    pub channels: u64,
    pub sessions: u64,
    pub actors: u64,
    /// In the running window.
    pub requests: u64,
    pub held: Held,
}

/// Looks at what a key has.
///
/// # Errors
/// Redis trouble.
pub async fn overview(app: &App, key: &KeyId) -> Result<Overview> {
    let slot = app.keys.key(key);
    let has = scripts::USAGE_OVERVIEW
        .on(&slot)
        .key("channels", key.as_str())
        .key("actors", key.as_str())
        .key("sessions", key.as_str())
        .key("session_index", key.as_str())
        .key("window", key.as_str())
        .int("most", MOST_CHANNELS)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let held = match app.held_cache.0.get(key) {
        Some(known) => known,
        None => {
            let held = all_of(app, key, has.list(2)?).await?;
            app.held_cache.0.insert(key.clone(), held);
            held
        }
    };
    Ok(Overview { channels: has.uint(0)?, sessions: has.uint(1)?, actors: has.uint(3)?, requests: has.uint(4)?, held })
}

/// Looks into these channels, a few at a time.
async fn all_of(app: &App, key: &KeyId, channels: &[Value]) -> Result<Held> {
    let ids = channels.iter().filter_map(text_of).filter_map(|id| ChannelId::parse(&id));
    let each = futures::stream::iter(ids.map(|id| async move { one(app, key, &id).await })).buffer_unordered(AT_ONCE);
    each.try_fold(Held::default(), |sum, one| async move { Ok(sum.and(one)) }).await
}

/// Nothing where a name leads to no channel: it was deleted by a replica that died before it freed the name.
async fn one(app: &App, key: &KeyId, id: &ChannelId) -> Result<Held> {
    let slot = app.keys.channel(id);
    let reply = match scripts::USAGE_CHANNEL.on(&slot).arg("key", key.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) => reply,
        Err(e) if e.code() == Code::ChannelNotFound => return Ok(Held::default()),
        Err(e) => return Err(e),
    };
    let (messages, bytes) = (reply.uint(0)?, reply.uint(2)?);
    Ok(Held {
        channels: 1,
        messages,
        claimed: reply.uint(1)?,
        bytes,
        most_messages: messages,
        most_bytes: bytes,
        most_leases: reply.uint(3)?,
        most_members: reply.uint(4)?,
        most_requests: reply.uint(5)?,
        most_invitations: reply.uint(6)?,
        most_aliases: reply.uint(7)?,
    })
}
