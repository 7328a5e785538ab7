//! `GET /v1/account/usage`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::amounts::{Amounts, limits, used_by};
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static ACCOUNT_USAGE: Operation = Operation {
    id: "accountUsage",
    method: "GET",
    path: "/v1/account/usage",
    tag: "Observability",
    summary: "Show the calling key's limits, and what is used of them",
    about: "The names are those that quota_exceeded gives as `limit`. For limits of a channel, `used` has the most that one of your \
            channels has. At most 200 of your channels are looked into (channels_counted says how many), and what was found there may be \
            5 seconds old; waiters_per_key is that of the replica that answers.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<AccountUsage>)),
    also: None,
    scripts: &[&scripts::USAGE_OVERVIEW, &scripts::USAGE_ADD, &scripts::USAGE_LEASES, &scripts::USAGE_HOLDINGS],
    refusals: &[],
};

/// What a key may have, and has.
#[derive(Serialize, ToSchema)]
pub struct AccountUsage {
    /// Always `free`.
    #[schema(example = "free")]
    plan: &'static str,
    key_id: String,
    /// null: no limit.
    limits: Amounts,
    used: Amounts,
    /// Seconds of the window that requests_per_window counts in.
    window_seconds: u64,
    /// What the messages of your channels take in the store.
    bytes_in_owned_channels: u64,
    /// How many of your channels were looked into: at most 200.
    channels_counted: u64,
}

pub async fn handle(State(app): State<App>, caller: Caller) -> Result<Answer> {
    let (used, held) = used_by(&app, &caller.key).await?;
    Answer::ok(&AccountUsage {
        plan: "free",
        key_id: caller.key.as_str().to_owned(),
        limits: limits(&app),
        used,
        window_seconds: app.settings.rate_limit_window_s,
        bytes_in_owned_channels: held.bytes,
        channels_counted: held.channels,
    })
}
