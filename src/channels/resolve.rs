//! What a caller calls a channel: an id (or the name of a result channel, which is one), a name of its own, or a global alias, in this order (protocol, chapter 4).

use std::time::Duration;

use moka::sync::Cache;

use super::settings::MAX_NAME;
use super::{RelatedChannel, read};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Caller, Once};
use crate::ids::{ChannelId, KeyId};
use crate::store::scripts;

/// Which channel a key's word stands for: for a second, since names may move when channels are deleted.
pub struct NameCache(Cache<(KeyId, String), ChannelId>);

impl Default for NameCache {
    fn default() -> Self {
        Self::new()
    }
}

impl NameCache {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(1)).build())
    }

    /// For when names were freed elsewhere, or such news may have been missed.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }

    /// Forgets a word that a change of this replica moved.
    pub fn forget(&self, key: &KeyId, word: &str) {
        self.0.invalidate(&(key.clone(), word.to_owned()));
    }
}

/// The channel that a word stands for.
///
/// # Errors
/// `channel_not_found`, or Redis trouble.
pub async fn resolve(app: &App, caller: &Caller, word: &str) -> Result<ChannelId> {
    resolve_once(app, caller, word, &Once::none()).await
}

/// As [`resolve`], for a write: its retries go to the channel that its first try went to, whatever the name stands for by then.
///
/// # Errors
/// `channel_not_found`, or Redis trouble.
pub async fn resolve_once(app: &App, caller: &Caller, word: &str, once: &Once) -> Result<ChannelId> {
    let word = word.trim();
    match ChannelId::of_word(word) {
        Some(id) => Ok(id),
        None => Box::pin(by_name(app, caller, word, once)).await, // boxed: requests that come with an id do not carry room for it
    }
}

async fn by_name(app: &App, caller: &Caller, word: &str, once: &Once) -> Result<ChannelId> {
    if word.chars().count() > MAX_NAME {
        return Err(ApiError::new(Code::ChannelNotFound)); // nothing can be called that
    }
    let key = (caller.key.clone(), word.to_owned());
    if !once.is_kept()
        && let Some(known) = app.metrics.caches.names.counted(app.name_cache.0.get(&key))
    {
        return Ok(known);
    }
    // An own name wins over an alias, so the alias is only looked up when there is none.
    let found = match own_or_pinned(app, caller, word, once).await? {
        Some(id) => Some(id),
        None => match alias(app, word).await? {
            Some(id) => Some(pin(app, caller, word, &id, once).await?),
            None => None,
        },
    };
    let id = found.ok_or_else(|| ApiError::new(Code::ChannelNotFound))?;
    app.name_cache.0.insert(key, id.clone());
    Ok(id)
}

/// The caller's own channel of this name; for a write with an Idempotency-Key the one that its first try went to, own or not.
///
/// # Errors
/// Redis trouble.
pub async fn own_or_pinned(app: &App, caller: &Caller, name: &str, once: &Once) -> Result<Option<ChannelId>> {
    Ok(ChannelId::parse(&name_read(app, caller, name, "", once).await?))
}

/// Notes that this write goes to the channel that was found, unless an earlier try of it went elsewhere.
///
/// # Errors
/// Redis trouble.
pub async fn pin(app: &App, caller: &Caller, name: &str, found: &ChannelId, once: &Once) -> Result<ChannelId> {
    if !once.is_kept() {
        return Ok(found.clone());
    }
    let bound = name_read(app, caller, name, found.as_str(), once).await?;
    ChannelId::parse(&bound).ok_or_else(|| ApiError::internal("a pinned request stands for no channel id"))
}

async fn name_read(app: &App, caller: &Caller, name: &str, found: &str, once: &Once) -> Result<String> {
    let slot = app.keys.key(&caller.key);
    let reply = scripts::CHANNEL_NAME_READ
        .on(&slot)
        .key("channels", caller.key.as_str())
        .key("pin", &once.name)
        .arg("name", name)
        .arg("found", found)
        .int("pin_ms", once.ms)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    reply.text(0)
}

/// The channel that a global alias stands for.
///
/// # Errors
/// Redis trouble.
pub async fn alias(app: &App, alias: &str) -> Result<Option<ChannelId>> {
    let slot = app.keys.alias(alias);
    let reply = scripts::ALIAS_READ.on(&slot).may_send_again(true).run(&app.redis).await?;
    Ok(ChannelId::parse(&reply.text(0)?))
}

/// Channels that another points to: each must be one that the caller can read.
///
/// # Errors
/// `invalid_related_channels`, naming the word that does not resolve.
pub async fn related(app: &App, caller: &Caller, words: &[String]) -> Result<String> {
    let mut list = Vec::new();
    for word in words {
        let bad = |_| ApiError::new(Code::InvalidRelatedChannels).field("related_channels").with("channel", word.as_str());
        let id = resolve(app, caller, word).await.map_err(bad)?;
        let record = read::record(app, caller, &id).await.map_err(bad)?;
        list.push(RelatedChannel {
            id: id.as_str().to_owned(),
            name: record.text("name").to_owned(),
            mode: record.text("mode").to_owned(),
        });
    }
    serde_json::to_string(&list).map_err(|e| ApiError::internal(e.to_string()))
}
