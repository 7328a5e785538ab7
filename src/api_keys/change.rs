//! Revoking or narrowing a key: announce it, do it, tell it. A crash in between leaves nothing that other replicas do not notice within a second.

use futures::future::BoxFuture;

use crate::app::{App, tell_of_changed_key};
use crate::error::{ApiError, Code, Result};
use crate::ids::{KeyId, Micros};
use crate::store::{Reply, scripts};

/// A change that comes too late after its announcement is announced again; a replica that is held up three times in a row gives up.
const MOST_TRIES: usize = 3;

/// Changes a key by a script that takes `announced` and answers `late` where it must not be relied on that all replicas reckon with it.
///
/// # Errors
/// `unauthorized` where there is no such active key; what `run` refuses; Redis trouble.
pub async fn change<'a>(app: &App, key: &KeyId, run: impl Fn(Micros) -> BoxFuture<'a, Result<Reply>> + Send) -> Result<Reply> {
    for _ in 0..MOST_TRIES {
        let changed = run(announce(app, key).await?).await;
        if !changed.as_ref().is_ok_and(|reply| reply.status() == "late") {
            tell_of_changed_key(app, key).await; // also when the answer was lost: it may have happened
            return changed;
        }
    }
    Err(ApiError::new(Code::StorageUnavailable).cause("a change of a key came more than 4 s after its announcement, three times"))
}

/// Answers the time of the key's server before the announcement: the two may lie on servers whose clocks differ.
async fn announce(app: &App, key: &KeyId) -> Result<Micros> {
    let slot = app.keys.key(key);
    let active = scripts::WEBHOOK_KEY_IS_ACTIVE.on(&slot).key("record", key.as_str()).may_send_again(true).run(&app.redis).await?;
    if active.status() != "active" {
        return Err(ApiError::new(Code::Unauthorized));
    }
    let slot = app.keys.fleet();
    scripts::KEY_ANNOUNCE.on(&slot).arg("key", key.as_str()).may_send_again(true).run(&app.redis).await?;
    Ok(active.now())
}
