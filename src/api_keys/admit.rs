//! Letting a request in: is the key what it says it is, and within its limit?

use std::sync::Arc;
use std::time::Instant;

use crate::actors::Actor;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::ids::{ActorId, Micros, PresentedKey};
use crate::store::{Reply, scripts};

/// What is known of an active key.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub label: String,
    /// None: unrestricted.
    pub scopes: Option<Vec<String>>,
    /// The actor it acts as unless it says otherwise.
    pub actor: Actor,
    pub created: Micros,
    /// When Redis was asked, at the latest: what is older than [`super::cache::LIFE`] is not to be relied on.
    pub asked_at: Instant,
}

/// Checks the key and counts the request; answers also how many are left in the window, if that is limited. With a rate limit that is one
/// script in the key's slot; without one the answer may be a second old.
///
/// # Errors
/// `unauthorized`, `rate_limit_exceeded`, or Redis trouble.
pub async fn count(app: &App, presented: &PresentedKey) -> Result<(Arc<Admitted>, Option<u64>)> {
    match app.settings.rate_limit {
        0 => Ok((look(app, presented).await?, None)),
        limit => Box::pin(count_in_window(app, presented, limit)).await,
    }
}

async fn count_in_window(app: &App, presented: &PresentedKey, limit: u64) -> Result<(Arc<Admitted>, Option<u64>)> {
    let slot = app.keys.key(&presented.id);
    let asked_at = Instant::now();
    let reply = scripts::KEY_ADMIT
        .on(&slot)
        .key("record", presented.id.as_str())
        .key("window", presented.id.as_str())
        .arg("digest", &presented.digest)
        .int("most", limit)
        .int("window_ms", app.settings.rate_limit_window_s * 1000)
        .may_send_again(true) // at worst a request is counted twice
        .run(&app.redis)
        .await?;
    Ok((Arc::new(decode(&reply, asked_at)?), Some(limit.saturating_sub(reply.uint(4)?))))
}

/// Checks the key without counting.
///
/// # Errors
/// `unauthorized`, or Redis trouble.
pub async fn look(app: &App, presented: &PresentedKey) -> Result<Arc<Admitted>> {
    if let Some(known) = app.metrics.caches.keys.counted(app.key_cache.get(presented)) {
        return Ok(known);
    }
    let (app_of_task, key) = (app.clone(), presented.clone());
    Box::pin(app.key_cache.ask(presented, async move { read(&app_of_task, &key).await })).await
}

async fn read(app: &App, presented: &PresentedKey) -> Result<Arc<Admitted>> {
    let (epoch, asked_at) = (app.key_cache.epoch(), Instant::now());
    let slot = app.keys.key(&presented.id);
    let call = scripts::KEY_LOOK.on(&slot).key("record", presented.id.as_str()).arg("digest", &presented.digest);
    let admitted = Arc::new(decode(&call.may_send_again(true).run(&app.redis).await?, asked_at)?);
    app.key_cache.put(presented, &admitted, epoch);
    Ok(admitted)
}

/// Values: label, scopes or -, actor id, created.
fn decode(reply: &Reply, asked_at: Instant) -> Result<Admitted> {
    let label = reply.text(0)?;
    let scopes = match reply.text(1)?.as_str() {
        "-" => None,
        list => Some(list.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect()),
    };
    let actor = ActorId::parse(&reply.text(2)?).ok_or_else(|| ApiError::internal("a key record names no actor"))?;
    Ok(Admitted { actor: Actor { id: actor, name: label.clone() }, label, scopes, created: reply.micros(3)?, asked_at })
}
