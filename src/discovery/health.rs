//! Health, probes, metrics.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api_keys::minting;
use crate::app::App;
use crate::discovery::schema;
use crate::duty;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Context};
use crate::operation::{Auth, Operation};
use crate::rooms::survey::{self, Evictions};
use crate::store::scripts;

pub static HEALTH: Operation = Operation {
    id: "health",
    method: "GET",
    path: "/health",
    tag: "Service",
    summary: "Health check",
    about: "200 and status ok, or the error storage_unavailable while the store is away, with the same fields and status degraded.",
    deprecated: None,
    auth: Auth::Public,
    query: &[],
    request: None,
    success: (200, Some(schema::of::<Health>)),
    also: None,
    scripts: &[&scripts::KEY_MINTING_READ],
    refusals: &[],
};

/// How the service is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or `degraded` while the store is away.
    #[schema(example = "ok")]
    status: &'static str,
    api_version: &'static str,
    instance_kind: String,
    /// null while that cannot be known.
    public_minting_enabled: Option<bool>,
    /// Longest `content` of a message, in bytes of UTF-8.
    max_content_bytes: usize,
    /// Time the store took to answer, in milliseconds; null if it did not.
    db_latency_ms: Option<f64>,
    status_url: String,
    /// Whether all is well, as clients of rooms ask.
    ok: bool,
    /// Rooms that are awake, in the fleet; this and what follows is null while the store is away.
    channels: Option<u64>,
    /// Rooms that sleep.
    channels_hibernating: Option<u64>,
    /// Participants of rooms that are awake.
    total_participants: Option<u64>,
    /// Entries in the logs of rooms that are awake.
    total_messages: Option<u64>,
    evictions: Option<Evictions>,
    total_channels_created: Option<u64>,
    total_messages_sent: Option<u64>,
    total_hibernations: Option<u64>,
    total_resumes: Option<u64>,
}

pub async fn handle(State(app): State<App>, context: Context) -> Result<Answer> {
    let latency = app.redis.ping().await.ok();
    let minting = if latency.is_some() { minting::is_open(&app).await.ok() } else { None };
    let well = latency.is_some() && minting.is_some();
    let rooms = if well { survey::counts(&app).await.ok() } else { None };
    let rooms = rooms.as_ref();
    let health = Health {
        status: if well { "ok" } else { "degraded" },
        api_version: "1.0",
        instance_kind: app.settings.instance_kind.clone(),
        public_minting_enabled: minting,
        max_content_bytes: app.settings.max_message_bytes,
        db_latency_ms: latency.map(|l| (l.as_secs_f64() * 1_000_000.0).round() / 1000.0),
        status_url: format!("{}/status", context.base_url()),
        ok: well,
        channels: rooms.map(|r| r.channels),
        channels_hibernating: rooms.map(|r| r.channels_hibernating),
        total_participants: rooms.map(|r| r.total_participants),
        total_messages: rooms.map(|r| r.total_messages),
        evictions: rooms.map(|r| r.evictions.clone()),
        total_channels_created: rooms.map(|r| r.total_channels_created),
        total_messages_sent: rooms.map(|r| r.total_messages_sent),
        total_hibernations: rooms.map(|r| r.total_hibernations),
        total_resumes: rooms.map(|r| r.total_resumes),
    };
    if well { Answer::ok(&health) } else { Err(degraded(&health)) }
}

/// An error as any other, for clients that look at `error`, and the health for those that look at `status`.
fn degraded(health: &Health) -> ApiError {
    let fields = serde_json::to_value(health).unwrap_or_default();
    let fields = fields.as_object().into_iter().flatten();
    fields.fold(ApiError::new(Code::StorageUnavailable), |error, (name, value)| error.with(name, value.clone()))
}

/// Liveness asks nobody: a replica whose Redis is away must not be restarted for it.
pub async fn alive() -> Result<Answer> {
    Answer::ok(&serde_json::json!({ "status": "alive" }))
}

/// Startup: whether Redis was reached once. What is wrong later is for readiness.
pub async fn started(State(app): State<App>) -> Result<Answer> {
    if !app.started().await {
        return Err(ApiError::new(Code::StorageUnavailable).because("Not started: Redis was not reached yet."));
    }
    Answer::ok(&serde_json::json!({ "status": "started" }))
}

/// Readiness asks Redis, and says why not.
pub async fn ready(State(app): State<App>) -> Result<Answer> {
    app.ready().await.map_err(|why| ApiError::new(Code::StorageUnavailable).because(format!("Not ready: {why}.")))?;
    Answer::ok(&serde_json::json!({ "status": "ready" }))
}

pub async fn metrics(State(app): State<App>) -> Result<Response> {
    app.ping().await;
    app.metrics.waits.look(app.hub.stats(), app.settings.longpoll_max_waiters);
    app.metrics.redis.look(app.redis.running(), &app.capacity);
    let mut page = app.metrics.text().map_err(|e| ApiError::internal(e.to_string()))?;
    let (of_rooms, of_fleet) = tokio::join!(survey::metrics(&app), duty::metrics::page(&app));
    page.extend_from_slice(of_rooms.as_bytes());
    page.extend_from_slice(&of_fleet);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response())
}
