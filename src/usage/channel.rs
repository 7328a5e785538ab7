//! `GET /v1/channels/{identifier}/metrics`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{of_a_read, send_of_channel};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static CHANNEL_METRICS: Operation = Operation {
    id: "channelMetrics",
    method: "GET",
    path: "/v1/channels/{identifier}/metrics",
    tag: "Observability",
    summary: "Count what a channel holds and what was done in it",
    about: "For its owner. claims, acks and releases at other replicas show up some seconds later, and may miss a few after trouble; all \
            else is exact now. Work piles up when open and oldest_open_age_seconds rise; lease_expiries that rise with claims are workers that die or \
            send no heartbeats.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ChannelMetrics>)),
    also: None,
    scripts: &[&scripts::USAGE_CHANNEL_METRICS],
    refusals: &[],
};

/// What a channel holds and what was done in it.
#[derive(Serialize, ToSchema)]
pub struct ChannelMetrics {
    channel_id: String,
    /// Posted so far. Begins anew when the channel had no message for its ttl_seconds and retention_days together.
    messages: u64,
    /// Held now, expired ones within their retention included.
    messages_held: u64,
    /// Messages taken, each time.
    claims: u64,
    /// Acknowledgements; on a broadcast channel one an actor and message.
    acks: u64,
    /// Messages given back by their holder, or for it when it hung up before it was answered.
    releases: u64,
    /// Leases that ended without an ack, as they are noticed: by the next claim, a list of unclaimed messages, or this call.
    lease_expiries: u64,
    /// Messages that can be claimed now; 0 on a broadcast channel.
    open: u64,
    /// Leases that run now.
    leased: u64,
    /// For how long the oldest of the open messages has waited; null if there is none.
    oldest_open_age_seconds: Option<f64>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    // What this replica has counted so far belongs to the answer.
    send_of_channel(&app, &channel, app.tally.channels.take(&channel)).await.map_err(of_a_read)?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::USAGE_CHANNEL_METRICS.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await?;
    app.metrics.work.leases_ended.inc_by(reply.uint(9)?);
    let oldest = Some(reply.micros(4)?).filter(|n| n.0 > 0);
    // A number may lie ahead of the time by up to a minute, after a failover.
    let age = |n: crate::ids::Micros| reply.now().0.saturating_sub(n.0) as f64 / 1e6;
    Answer::ok(&ChannelMetrics {
        channel_id: channel.as_str().to_owned(),
        messages: reply.uint(0)?,
        messages_held: reply.uint(1)?,
        claims: reply.uint(5)?,
        acks: reply.uint(6)?,
        releases: reply.uint(7)?,
        lease_expiries: reply.uint(8)?,
        open: reply.uint(2)?,
        leased: reply.uint(3)?,
        oldest_open_age_seconds: oldest.map(age),
    })
}
