//! `GET /v1/channels/{identifier}/webhook/deliveries`, and the same of an actor

use axum::extract::State;
use deadpool_redis::redis::Value;
use serde::Serialize;
use utoipa::ToSchema;

use super::{About, Job, Target, Webhook, actor, channel};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Once, Params};
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::operation::{Auth, Operation, Scope};
use crate::store::reply::text_of;
use crate::store::scripts;

/// All that are kept.
const LIMIT: u64 = 200;

pub static LIST_CHANNEL_WEBHOOK_DELIVERIES: Operation = Operation {
    id: "listChannelWebhookDeliveries",
    method: "GET",
    path: "/v1/channels/{identifier}/webhook/deliveries",
    tag: "Webhooks",
    summary: "See how deliveries to a channel's webhook went",
    about: "Owner only. The last 200 tries, newest first, for 30 days: when, which try, what the receiver answered, how long it took. Content and \
            secrets are not kept here.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<Deliveries>)),
    also: None,
    scripts: &[&scripts::WEBHOOK_OWNER, &scripts::HOOK_DELIVERIES],
    refusals: &[],
};

pub static LIST_ACTOR_WEBHOOK_DELIVERIES: Operation = Operation {
    id: "listActorWebhookDeliveries",
    path: "/v1/actors/{identifier}/webhook/deliveries",
    summary: "See how deliveries to an actor's webhook went",
    auth: Auth::Key(Some(Scope::MessagesRead)),
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_READ, &scripts::HOOK_DELIVERIES],
    refusals: &[Code::ActorForbidden],
    ..LIST_CHANNEL_WEBHOOK_DELIVERIES
};

/// The newest tries.
#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    data: Vec<TryView>,
}

/// One try of a delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookTry)]
struct TryView {
    #[serde(flatten)]
    about: About,
    /// From 1.
    attempt: u64,
    /// `delivered`, `failed` (it is tried again) or `dead` (it was given up).
    #[schema(example = "delivered")]
    outcome: String,
    /// Status of the receiver's answer; null: there was none.
    status: Option<u64>,
    /// What went wrong: `status_4xx`, `status_5xx`, `redirect`, `timeout`, `connect`, `broken`, `refused_address` or `unreachable`.
    error: Option<String>,
    duration_ms: u64,
    tried_at: String,
}

impl TryView {
    /// Reads one stored try; None when it is broken.
    fn read(stored: &Value) -> Option<Self> {
        let stored = text_of(stored)?;
        let [at, outcome, attempt, status, duration_ms, error, job] = parts(&stored)?;
        Some(Self {
            about: About::of(&Job::parse(job)?),
            attempt: attempt.parse().ok()?,
            outcome: outcome.to_owned(),
            status: Some(status.parse().ok()?).filter(|status| *status > 0),
            error: Some(error.to_owned()).filter(|error| !error.is_empty()),
            duration_ms: duration_ms.parse().ok()?,
            tried_at: Micros(at.parse().ok()?).rfc3339(),
        })
    }
}

/// What a try is stored as; the job is the last of them, since it has separators of its own.
fn parts(stored: &str) -> Option<[&str; 7]> {
    let mut parts = stored.splitn(7, SEPARATOR);
    let mut next = || parts.next();
    Some([next()?, next()?, next()?, next()?, next()?, next()?, next()?])
}

pub async fn of_channel(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let target = channel(&app, &caller, &params, Webhook::MayBeGone, &Once::none()).await?;
    list(&app, &target).await
}

pub async fn of_actor(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let target = actor(&app, &caller, &params, Webhook::MayBeGone, &Once::none()).await?;
    list(&app, &target).await
}

async fn list(app: &App, target: &Target) -> Result<Answer> {
    let slot = app.keys.hook(target.as_str());
    let reply = scripts::HOOK_DELIVERIES.on(&slot).int("limit", LIMIT).may_send_again(true).run(&app.redis).await?;
    let read = reply.list(0)?.iter().map(TryView::read).collect::<Option<Vec<_>>>();
    Answer::ok(&Deliveries { data: read.ok_or_else(|| ApiError::internal("a try of a delivery is broken"))? })
}
