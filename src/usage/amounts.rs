//! What is limited, by the names that `quota_exceeded` gives as `limit`: how much is allowed, and how much is used.

use serde::Serialize;
use utoipa::ToSchema;

use super::held::{Held, overview};
use super::{counted, holdings, leases};
use crate::app::App;
use crate::channels::aliases::MAX_ALIASES;
use crate::error::Result;
use crate::ids::KeyId;

/// An amount of each thing that is limited.
#[derive(Serialize, ToSchema)]
pub struct Amounts {
    requests_per_window: Option<u64>,
    channels_per_key: Option<u64>,
    actors_per_key: Option<u64>,
    sessions_per_key: Option<u64>,
    /// Posted since midnight UTC; what other replicas counted in the last seconds is missing.
    bytes_per_key_per_day: Option<u64>,
    /// What all channels of the key hold in memory, claims and results included, as far as posts have looked at it.
    bytes_per_key: Option<u64>,
    /// Leases that run, on all channels; what other replicas counted in the last seconds is missing.
    leases_per_key: Option<u64>,
    /// Requests that wait, on one replica.
    waiters_per_key: Option<u64>,
    members_per_channel: Option<u64>,
    access_requests_per_channel: Option<u64>,
    invitations_per_channel: Option<u64>,
    aliases_per_channel: Option<u64>,
    messages_per_channel: Option<u64>,
    /// Memory that the messages of a channel take.
    bytes_per_channel: Option<u64>,
    /// Leases that run.
    leases_per_channel: Option<u64>,
}

/// What one key may have on this instance.
pub fn limits(app: &App) -> Amounts {
    let settings = &app.settings;
    let limit = |n: u64| Some(n).filter(|n| *n > 0);
    Amounts {
        requests_per_window: limit(settings.rate_limit),
        channels_per_key: limit(settings.max_channels_per_key),
        actors_per_key: limit(settings.max_actors_per_key),
        sessions_per_key: limit(settings.max_sessions_per_key),
        bytes_per_key_per_day: limit(settings.max_bytes_per_key_per_day),
        bytes_per_key: limit(settings.max_bytes_per_key),
        leases_per_key: limit(settings.max_leases_per_key),
        waiters_per_key: limit(settings.longpoll_max_waiters_per_key as u64),
        members_per_channel: limit(settings.max_members_per_channel),
        access_requests_per_channel: limit(settings.max_access_requests_per_channel),
        invitations_per_channel: limit(settings.max_invitations_per_channel),
        aliases_per_channel: limit(MAX_ALIASES),
        messages_per_channel: limit(settings.max_messages_per_channel),
        bytes_per_channel: limit(settings.max_bytes_per_channel),
        leases_per_channel: limit(settings.max_leases_per_channel),
    }
}

/// What one key uses of it.
///
/// # Errors
/// Redis trouble.
pub(super) async fn used_by(app: &App, key: &KeyId) -> Result<(Amounts, Held)> {
    let counts = counted(app, key).await?;
    let has = overview(app, key).await?;
    let used = Amounts {
        requests_per_window: Some(has.requests),
        channels_per_key: Some(has.channels),
        actors_per_key: Some(has.actors),
        sessions_per_key: Some(has.sessions),
        bytes_per_key_per_day: Some(counts.bytes),
        bytes_per_key: holdings::held_by(app, key).await?,
        leases_per_key: if app.settings.max_leases_per_key > 0 { Some(leases::running(app, key).await?) } else { None },
        waiters_per_key: Some(app.waiting.of(key) as u64),
        members_per_channel: Some(has.held.most_members),
        access_requests_per_channel: Some(has.held.most_requests),
        invitations_per_channel: Some(has.held.most_invitations),
        aliases_per_channel: Some(has.held.most_aliases),
        messages_per_channel: Some(has.held.most_messages),
        bytes_per_channel: Some(has.held.most_bytes),
        leases_per_channel: Some(has.held.most_leases),
    };
    Ok((used, has.held))
}
