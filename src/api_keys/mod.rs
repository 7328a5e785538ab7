//! API keys: the tenants. A key is shown once and kept as SHA-256 only; rights, names and actors hang on its id, not on its label.

pub mod admit;
pub mod cache;
pub mod issue;
pub mod me;
pub mod minting;
pub mod scopes;

use crate::app::App;
use crate::ids::KeyId;

/// Longest label, in characters.
const MAX_LABEL: usize = 128;

/// Tells every replica that a key was revoked or narrowed. A lost message costs a second: caches keep nothing longer.
pub(crate) async fn tell_fleet(app: &App, key: &KeyId) {
    app.key_cache.forget(key.as_str());
    if let Err(failure) = app.redis.shard_publish(&app.keys.invalidation_topic(), key.as_str()).await {
        tracing::warn!(?failure, "other replicas learn of a changed key within a second instead of at once");
    }
}
