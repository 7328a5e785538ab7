//! Idle channels: nobody has posted to them or changed their settings for as long as the operator says, and nothing is left in them to read.

use serde_json::json;

use super::delete::free_names;
use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, KeyId};
use crate::store::scripts;

/// After how many seconds without use a channel is deleted; None: never.
pub fn idle_s(app: &App) -> Option<u64> {
    Some(app.settings.channel_idle_days * 86_400).filter(|s| *s > 0)
}

/// Deletes the channel if it is idle; whether it did. The script looks and deletes in one step. Its names follow, as with any deletion, and then the
/// owner's audit.
///
/// # Errors
/// Redis trouble.
pub async fn expire(app: &App, id: &ChannelId) -> Result<bool> {
    let Some(idle_s) = idle_s(app) else { return Ok(false) };
    let slot = app.keys.channel(id);
    // A lost answer would leave names that nobody frees, until somebody wants them.
    let reply = match scripts::CHANNEL_EXPIRE.on(&slot).int("idle_s", idle_s).run(&app.redis).await {
        Err(e) if e.code() == Code::ChannelNotFound => return Ok(false),
        reply => reply?,
    };
    if reply.status() != "deleted" {
        return Ok(false);
    }
    let owner = KeyId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("a channel's owner is no key id"))?;
    let name = reply.text(1)?;
    tracing::info!(channel.id = id.as_str(), "an idle channel was deleted");
    let detail = json!({ "channel_id": id.as_str(), "channel_name": name, "idle_days": app.settings.channel_idle_days });
    // Nobody asked for it, so no client address has a part in it.
    let event = Event::new(Kind::ChannelExpire, Some(&owner), None, None, &detail);
    audit::tell(app, Some(&owner), event).await;
    free_names(app, &owner, id, &name, &reply.text(2)?).await?;
    Ok(true)
}
