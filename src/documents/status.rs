//! `/status` for machines, `/status.html` for people: which version runs, whether it is well, what is allowed.

use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;
use serde_json::Value;

use super::manifests::limits;
use super::{Facts, Kind, render};
use crate::api_keys::minting;
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Context};

/// When this process began to serve.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Notes the time of the start.
pub fn began() {
    LazyLock::force(&BEGAN);
}

/// Seconds since this process began to serve.
pub fn uptime_s() -> u64 {
    BEGAN.elapsed().as_secs()
}

/// What `/status` answers. A load balancer may send the next request to another replica: times and waiting calls are of this one.
#[derive(Serialize)]
pub struct Status {
    /// `ok`, or `degraded` while Redis is away.
    status: &'static str,
    version: &'static str,
    api_version: &'static str,
    instance_kind: String,
    /// null while that cannot be known.
    public_minting_enabled: Option<bool>,
    db_latency_ms: Option<f64>,
    replica_uptime_seconds: u64,
    replica_waiting_calls: i64,
    max_wait_seconds: f64,
    limits: Value,
    health_url: String,
    sla_url: String,
}

impl Status {
    /// What is known without asking anyone.
    pub fn of_nothing(facts: &Facts) -> Self {
        Self {
            status: "degraded",
            version: facts.version,
            api_version: facts.api_version,
            instance_kind: facts.instance_kind.clone(),
            public_minting_enabled: None,
            db_latency_ms: None,
            replica_uptime_seconds: uptime_s(),
            replica_waiting_calls: 0,
            max_wait_seconds: facts.max_wait,
            limits: limits(facts),
            health_url: format!("{}/health", facts.base),
            sla_url: format!("{}/docs/sla.md", facts.base),
        }
    }

    async fn now(app: &App, context: &Context) -> (Facts, Self) {
        let latency = app.redis.ping().await.ok();
        let minting = if latency.is_some() { minting::is_open(app).await.ok() } else { None };
        let facts = Facts::new(&app.settings, context.base_url(), minting.unwrap_or(true));
        let unknown = Self::of_nothing(&facts);
        let status = Self {
            status: if minting.is_some() { "ok" } else { unknown.status },
            public_minting_enabled: minting,
            db_latency_ms: latency.map(|l| (l.as_secs_f64() * 1_000_000.0).round() / 1000.0),
            replica_waiting_calls: app.metrics.waits.running(),
            ..unknown
        };
        (facts, status)
    }

    fn is_well(&self) -> bool {
        self.status == "ok"
    }
}

pub async fn json(State(app): State<App>, context: Context) -> Result<Answer> {
    let (_, status) = Status::now(&app, &context).await;
    if status.is_well() {
        return Ok(Answer::ok(&status)?.header("cache-control", http::HeaderValue::from_static("no-store")));
    }
    // An error as any other, with the same fields.
    let fields = serde_json::to_value(&status).map_err(|e| ApiError::internal(e.to_string()))?;
    let fields = fields.as_object().into_iter().flatten();
    Err(fields.fold(ApiError::new(Code::StorageUnavailable), |error, (name, value)| error.with(name, value.clone())))
}

pub async fn html(State(app): State<App>, context: Context) -> Result<Response> {
    let (facts, status) = Status::now(&app, &context).await;
    let page = page(&facts, &status)?;
    let headers = [(CONTENT_TYPE, Kind::Html.content_type()), (CACHE_CONTROL, "no-store")];
    Ok(match status.is_well() {
        true => (headers, page).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, headers, [(RETRY_AFTER, "1")], page).into_response(),
    })
}

/// The page for people.
pub fn page(facts: &Facts, status: &Status) -> Result<String> {
    #[derive(Serialize)]
    struct Both<'a> {
        #[serde(flatten)]
        facts: &'a Facts,
        now: &'a Status,
    }
    render::fill("status.html", &Both { facts, now: status })
}
