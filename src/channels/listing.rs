//! The list of channels that can be found, `bc:{discoverable}`. It lies in another slot than the channels, so a change takes two steps.
//!
//! A channel is put on the list before it becomes one that can be found, and taken off after it has ceased to be one. So a crash in
//! between leaves an entry too much, never one too few; who meets it leaves it out, and takes it off once it has been there for a minute.

use super::settings::Changes;
use crate::app::App;
use crate::error::Result;
use crate::ids::{ChannelId, Micros};
use crate::store::scripts;

/// What a set of fields says about it; None: nothing.
pub fn wanted(fields: &Changes) -> Option<bool> {
    fields.iter().rev().find(|(name, _)| *name == "discoverable").map(|(_, value)| value == "1")
}

/// Puts a channel on the list. `created` is where it stands there; 0: now.
///
/// # Errors
/// Redis trouble.
pub async fn enter(app: &App, id: &ChannelId, created: Micros) -> Result<()> {
    let slot = app.keys.discoverable();
    let call = scripts::CHANNEL_DISCOVER_ENTER.on(&slot).key("fresh", id.as_str()).arg("id", id.as_str()).int("created", created.0);
    call.may_send_again(true).run(&app.redis).await?;
    Ok(())
}

/// Why a channel is taken off the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It is gone for good.
    Deleted,
    /// It cannot be found any more, or not yet.
    Hidden,
}

/// Takes a channel off the list. Trouble is only logged: what stays is left out by whoever meets it.
pub async fn leave(app: &App, id: &ChannelId, because: Because) {
    let slot = app.keys.discoverable();
    let call = scripts::CHANNEL_DISCOVER_LEAVE.on(&slot).key("fresh", id.as_str()).arg("id", id.as_str());
    let call = call.arg("gone", if because == Because::Deleted { "1" } else { "" });
    if let Err(failure) = call.may_send_again(true).run(&app.redis).await {
        tracing::warn!(?failure, "a channel stays on the list of those that can be found until somebody meets it there");
    }
}
