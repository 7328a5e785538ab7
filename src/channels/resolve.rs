//! What a caller calls a channel: an id, a name of its own, or a global alias, in this order (protocol, chapter 4).

use std::time::Duration;

use moka::sync::Cache;

use super::RelatedChannel;
use super::read;
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
    if let Some(id) = ChannelId::parse(word) {
        return Ok(id);
    }
    let key = (caller.key.clone(), word.to_owned());
    if !once.is_kept()
        && let Some(known) = app.name_cache.0.get(&key)
    {
        return Ok(known);
    }
    // An own name wins over an alias, so the alias is only looked up when there is none.
    let found = match own_or_pinned(app, caller, word, "", &Once::none()).await? {
        Some(id) => Some(id),
        None => alias(app, word).await?,
    };
    let found =
        if once.is_kept() { own_or_pinned(app, caller, word, found.as_ref().map_or("", |id| id.as_str()), once).await? } else { found };
    let id = found.ok_or_else(|| ApiError::new(Code::ChannelNotFound))?;
    app.name_cache.0.insert(key, id.clone());
    Ok(id)
}

/// The caller's own channel of this name.
///
/// # Errors
/// Redis trouble.
pub async fn own(app: &App, caller: &Caller, name: &str) -> Result<Option<ChannelId>> {
    own_or_pinned(app, caller, name, "", &Once::none()).await
}

/// The caller's own channel of this name; for a retry the channel of its first try. `found`: what to pin if there is no such name.
///
/// # Errors
/// Redis trouble.
pub async fn own_or_pinned(app: &App, caller: &Caller, name: &str, found: &str, once: &Once) -> Result<Option<ChannelId>> {
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
    Ok(ChannelId::parse(&reply.text(0)?))
}

/// The channel that a global alias stands for.
///
/// # Errors
/// Redis trouble.
pub async fn alias(app: &App, alias: &str) -> Result<Option<ChannelId>> {
    let slot = app.keys.alias(alias);
    let reply = scripts::CHANNEL_ALIAS_READ.on(&slot).may_send_again(true).run(&app.redis).await?;
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
