//! `GET /v1/observability/metrics`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::counted;
use super::held::overview;
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static OBSERVABILITY_METRICS: Operation = Operation {
    id: "observabilityMetrics",
    method: "GET",
    path: "/v1/observability/metrics",
    tag: "Observability",
    summary: "Count what the calling key has and did",
    about: "Counters begin with the key and only rise. Requests at other replicas show up some seconds later. Messages are counted in \
            at most 200 of the key's channels (channels_counted says in how many), and that count may be 5 seconds old.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<KeyMetrics>)),
    also: None,
    scripts: &[&scripts::USAGE_ADD, &scripts::USAGE_OVERVIEW],
    refusals: &[],
};

/// What a key has and did.
#[derive(Serialize, ToSchema)]
pub struct KeyMetrics {
    channels_owned: u64,
    /// Messages these channels hold now, expired ones within their retention included.
    messages_in_owned_channels: u64,
    /// Those of them, on claimable channels, that were claimed at least once.
    messages_claimed_in_owned_channels: u64,
    /// In how many channels messages were counted: at most 200.
    channels_counted: u64,
    active_sessions: u64,
    /// Requests answered, refused ones included.
    requests: u64,
    /// Messages taken.
    claims: u64,
    /// Messages acknowledged.
    acks: u64,
    /// Requests answered with a 4xx or 5xx.
    errors: u64,
}

pub async fn handle(State(app): State<App>, caller: Caller) -> Result<Answer> {
    let counts = counted(&app, &caller.key).await?;
    let has = overview(&app, &caller.key).await?;
    Answer::ok(&KeyMetrics {
        channels_owned: has.channels,
        messages_in_owned_channels: has.held.messages,
        messages_claimed_in_owned_channels: has.held.claimed,
        channels_counted: has.held.channels,
        active_sessions: has.sessions,
        requests: counts.requests,
        claims: counts.claims,
        acks: counts.acks,
        errors: counts.errors,
    })
}
