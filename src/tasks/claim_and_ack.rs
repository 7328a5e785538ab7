//! `POST /v1/tasks/claim-and-ack`, for older clients.

use axum::extract::State;
use utoipa::ToSchema;

use crate::actors::{self, Unknown};
use crate::app::App;
use crate::claims::{ClaimStatus, Claimed, check_metadata, of_message};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once};
use crate::ids::{LeaseToken, MessageId};
use crate::operation::{Auth, Deprecated, Operation, Scope};
use crate::store::scripts;
use crate::telemetry;

pub static TASK_CLAIM_AND_ACK: Operation = Operation {
    id: "taskClaimAndAck",
    method: "POST",
    path: "/v1/tasks/claim-and-ack",
    tag: "Tasks",
    summary: "Claim a message and acknowledge it in one step",
    about: "Nobody gets the task again if you crash while you work on it: claim with a lease and acknowledge when the work is done. Needs \
            messages:ack, too. Asking again is fine: already_acknowledged.",
    deprecated: Some(Deprecated { successor: "/v1/tasks/claim" }),
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<ClaimAndAck>),
    success: (200, Some(schema::of::<ClaimStatus>)),
    also: None,
    scripts: &[&scripts::CLAIM_AND_ACK],
    refusals: &[
        Code::MissingField,
        Code::InvalidString,
        Code::InvalidObject,
        Code::ActorNotFound,
        Code::ActorForbidden,
        Code::InvalidActorName,
        Code::QuotaExceeded,
    ],
};

/// What to send.
#[derive(ToSchema)]
pub struct ClaimAndAck {
    pub message_id: String,
    /// Who claims: an actor of yours, by id or name; a new name is registered. Default: your key's own actor.
    #[schema(example = "worker-1")]
    pub actor: Option<String>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    caller.require(Scope::MessagesAck)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = body.fields.required_text("message_id")?;
    let id = MessageId::parse(&id).ok_or_else(|| ApiError::new(Code::MessageNotFound).field("message_id"))?;
    check_metadata(&body.fields)?;
    let actor = actors::resolve(&app, &caller, body.fields.text("actor")?.as_deref(), Unknown::Register).await?;
    let slot = app.keys.channel(id.channel());
    let secret = LeaseToken::new_secret();
    let reply = scripts::CLAIM_AND_ACK
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .int("n", id.micros().0)
        .arg("actor", actor.id.as_str())
        .arg("name", &actor.name)
        .arg("secret", &secret)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true) // the same secret is the same request; done is done
        .run_confirmed(&app.redis)
        .await
        .map_err(of_message)?;
    let replayed = reply.status() == "replayed";
    let claimed = Claimed::read(&id, &reply)?;
    if reply.status() == "claimed_and_acked" {
        telemetry::link(claimed.stored.head.post.as_deref());
        app.tally.claimed(&caller.key, id.channel(), 1);
        app.tally.acked(&caller.key, id.channel());
        app.metrics.work.claimed(id.micros(), &claimed.record);
        app.metrics.work.acknowledged.inc();
        app.metrics.work.leases_ended.inc_by(reply.uint(3)?);
    }
    let status = if replayed { "claimed_and_acked" } else { reply.status() }.to_owned();
    let message = claimed.view(&reply)?;
    Ok(Answer::ok(&ClaimStatus { status, message })?.once(&once, replayed))
}
