//! `POST /v1/tasks/claim`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::{self, Unknown};
use crate::app::App;
use crate::claims::next::{Ask, Got, claim_next};
use crate::claims::record::ClaimRecord;
use crate::claims::{DEFAULT_LEASE_S, MAX_LEASE_S, check_metadata};
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::ids::{ChannelId, LeaseToken, MessageId, Micros};
use crate::messages::poll::Wait;
use crate::messages::{MessageView, Stored};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static TASK_CLAIM: Operation = Operation {
    id: "taskClaim",
    method: "POST",
    path: "/v1/tasks/claim",
    tag: "Tasks",
    summary: "Claim the next unclaimed message, and wait for one",
    about: "The oldest one, at once or as soon as one is posted, released, or its lease runs out. claimed: null after `wait` seconds without \
            one; ask again. With wait a lease is always taken (default 300 s), so ack within it or send heartbeats. \
            With max > 1 up to that many come at once, in `claims`.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<ClaimTask>),
    success: (200, Some(schema::of::<ClaimedTask>)),
    also: None,
    scripts: &[&scripts::CLAIM_NEXT],
    refusals: &[
        Code::MissingField,
        Code::InvalidString,
        Code::InvalidField,
        Code::InvalidObject,
        Code::InvalidLeaseSeconds,
        Code::ActorNotFound,
        Code::ActorForbidden,
        Code::InvalidActorName,
        Code::QuotaExceeded,
    ],
};

/// What to send.
#[derive(ToSchema)]
pub struct ClaimTask {
    /// Id, name of yours, or alias.
    pub channel: String,
    /// Who claims: an actor of yours, by id or name; a new name is registered. Default: your key's own actor.
    pub actor: Option<String>,
    /// Take a lease of this length. Without it and without wait the claim holds until you acknowledge.
    #[schema(minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<u64>,
    /// Seconds to wait for a message, fractions allowed; the server caps it.
    #[schema(minimum = 0)]
    pub wait: Option<f64>,
    /// At most this many.
    #[schema(default = 1, minimum = 1, maximum = 10)]
    pub max: Option<u64>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

/// What you got.
#[derive(Serialize, ToSchema)]
pub struct ClaimedTask {
    /// The message, or null if there is none.
    claimed: Option<MessageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
    /// With max > 1: all that were claimed, the first one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Vec<TaskClaim>>,
}

/// One of several claims.
#[derive(Clone, Serialize, ToSchema)]
pub struct TaskClaim {
    message: MessageView,
    attempt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_expires_at: Option<String>,
}

struct Wanted {
    lease_s: u64,
    wait_s: f64,
    max: u64,
}

impl Wanted {
    fn read(fields: &Fields) -> Result<Self> {
        let wait_s = fields.seconds("wait")?.unwrap_or(0.0);
        let lease_s = fields.integer("lease_seconds", Code::InvalidLeaseSeconds, 1, MAX_LEASE_S)?;
        // After an answer to a wait nobody can know whether the client was still there: the lease gives the message back.
        let lease_s = lease_s.unwrap_or(if wait_s > 0.0 { DEFAULT_LEASE_S } else { 0 });
        Ok(Self { lease_s, wait_s, max: fields.integer("max", Code::InvalidField, 1, 10)?.unwrap_or(1) })
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let wanted = Wanted::read(&body.fields)?;
    check_metadata(&body.fields)?;
    let channel = super::channel(&app, &caller, &body.fields, &once).await?;
    let actor = actors::resolve(&app, &caller, body.fields.text("actor")?.as_deref(), Unknown::Register).await?;
    let ask =
        Ask { channel: channel.clone(), key: caller.key.clone(), actor, lease_s: wanted.lease_s, max: wanted.max, once: once.clone() };
    let got = claim_next(&app, &caller, ask, Wait::seconds(wanted.wait_s, &app)).await?;
    let replayed = got.replayed;
    Ok(Answer::ok(&ClaimedTask::new(&channel, got, wanted.max)?)?.once(&once, replayed))
}

impl ClaimedTask {
    fn new(channel: &ChannelId, got: Got, max: u64) -> Result<Self> {
        let (ttl, now) = (got.ttl_us, got.now);
        let mut claims = got.taken.into_iter().map(|(m, r)| TaskClaim::new(channel, m, r, ttl, now)).collect::<Result<Vec<_>>>()?;
        if claims.is_empty() {
            let note = Some("There is no unclaimed message. Ask again, with wait to be answered as soon as there is one.");
            return Ok(Self {
                claimed: None,
                note,
                lease_token: None,
                lease_expires_at: None,
                attempt: None,
                claims: (max > 1).then_some(claims),
            });
        }
        let all = (max > 1).then(|| claims.clone());
        let first = claims.remove(0);
        Ok(Self {
            claimed: Some(first.message),
            note: None,
            lease_token: first.lease_token,
            lease_expires_at: first.lease_expires_at,
            attempt: Some(first.attempt),
            claims: all,
        })
    }
}

impl TaskClaim {
    fn new(channel: &ChannelId, stored: Stored, record: ClaimRecord, ttl_us: u64, now: Micros) -> Result<Self> {
        let id = MessageId::new(channel.clone(), stored.micros);
        let leased = record.lease_until;
        Ok(Self {
            attempt: record.attempt,
            lease_token: leased.map(|_| LeaseToken::new(id, record.secret.clone()).to_string()),
            lease_expires_at: leased.map(Micros::rfc3339),
            message: stored.view(channel, Some(record), ttl_us, now)?,
        })
    }
}
