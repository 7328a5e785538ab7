//! Webhooks: what is pushed to whom. Scripts write what is to be pushed into the channel's outbox, in the same step as what it tells of.
//!
//! Which channels have an outbox stands in an index in other slots, so a channel is put there before its first entry is written: a crash in
//! between leaves an entry of the index too much, never an outbox that nobody looks into.

mod backoff;
mod bundle;
mod deliver;
mod disable;
mod finish;
mod gate;
pub mod guard;
mod job;
mod load;
pub mod metrics;
mod outbox;
pub mod owners;
mod push;
mod sign;
mod sweep;
mod together;
pub mod url;
pub mod worker;

use std::time::Duration;

use moka::sync::Cache;

use crate::app::App;
use crate::error::{Code, Result};
use crate::http::fields::wrong;
use crate::ids::{ChannelId, Micros};
use crate::messages::SEPARATOR;
use crate::store::scripts;

pub use outbox::{HandOvers, hand_over_later};

/// Longest secret, in bytes.
const MAX_SECRET_BYTES: usize = 512;
/// For how long a replica relies on having put a channel into the index; younger entries stay there.
const ANNOUNCED_FOR: Duration = Duration::from_secs(600);

/// Channels that this replica has put into the index of outboxes within the last ten minutes.
pub struct Announced(Cache<ChannelId, ()>);

impl Default for Announced {
    fn default() -> Self {
        Self::new()
    }
}

impl Announced {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_live(ANNOUNCED_FOR).build())
    }
}

/// A webhook of an actor, as `hooks` keeps it: URL, secret and set at (µs), joined by \31. Neither URL nor time holds that character.
pub struct ActorHook {
    pub url: String,
    /// Empty: none.
    pub secret: String,
    pub updated: Micros,
}

impl ActorHook {
    /// None unless it is what we store.
    pub fn parse(text: &str) -> Option<Self> {
        let (url, rest) = text.split_once(SEPARATOR)?;
        let (secret, updated) = rest.rsplit_once(SEPARATOR)?;
        Some(Self { url: url.to_owned(), secret: secret.to_owned(), updated: Micros(updated.parse().ok()?) })
    }
}

/// A secret that signs what is pushed: at most 512 bytes; empty: none.
///
/// # Errors
/// `invalid_string`, naming the field.
pub fn check_secret(field: &str, secret: String) -> Result<String> {
    if secret.len() > MAX_SECRET_BYTES {
        return Err(wrong(Code::InvalidString, field, &format!("has at most {MAX_SECRET_BYTES} bytes")));
    }
    Ok(secret)
}

/// Whether this replica has put the channel into the index of outboxes within the last ten minutes.
pub fn is_announced(app: &App, channel: &ChannelId) -> bool {
    app.announced.0.contains_key(channel)
}

/// Puts a channel into the index of outboxes, unless this replica did within the last ten minutes. Before anything is written into its outbox.
///
/// # Errors
/// Redis trouble.
pub async fn announce(app: &App, channel: &ChannelId) -> Result<()> {
    if is_announced(app, channel) {
        return Ok(());
    }
    let slot = app.keys.outboxes(channel);
    scripts::WEBHOOK_INDEX_ENTER.on(&slot).arg("id", channel.as_str()).may_send_again(true).run(&app.redis).await?;
    app.announced.0.insert(channel.clone(), ());
    Ok(())
}

/// Takes a channel that was deleted out of the index of outboxes. Trouble is only logged: who sweeps meets it there.
pub async fn forget(app: &App, channel: &ChannelId) {
    let slot = app.keys.outboxes(channel);
    let call = scripts::WEBHOOK_INDEX_DROP.on(&slot).arg("id", channel.as_str());
    if let Err(failure) = call.may_send_again(true).run(&app.redis).await {
        tracing::warn!(?failure, "a deleted channel stays in the index of outboxes until somebody sweeps it");
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Through short trouble of Redis: about ten seconds.
async fn repeat<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> Result<T> {
    for pause_ms in [100, 400, 1000, 2000, 3000, 3000] {
        match call().await {
            Err(e) if e.code().spec().status == 503 => tokio::time::sleep(Duration::from_millis(pause_ms)).await,
            answer => return answer,
        }
    }
    call().await
}
