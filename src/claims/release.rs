//! `POST /v1/messages/{message_id}/release`

use axum::extract::State;
use utoipa::ToSchema;

use super::{ClaimStatus, Claimed, check_metadata, of_message, sent_token};
use crate::actors::{self, Unknown};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static RELEASE_MESSAGE: Operation = Operation {
    id: "releaseMessage",
    method: "POST",
    path: "/v1/messages/{message_id}/release",
    tag: "Claims",
    summary: "Give a claimed message back",
    about: "It can be claimed again at once, and who waits for one is woken. With lease_token: only if that lease is the current one.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<ReleaseMessage>),
    success: (200, Some(schema::of::<ClaimStatus>)),
    also: None,
    scripts: &[&scripts::CLAIM_RELEASE],
    refusals: &[Code::InvalidString, Code::InvalidObject, Code::ActorNotFound, Code::ActorForbidden, Code::InvalidActorName],
};

/// What to send.
#[derive(ToSchema)]
pub struct ReleaseMessage {
    /// The actor that holds it. Default: your key's own actor.
    #[schema(example = "worker-1")]
    pub actor: Option<String>,
    /// Proof that yours is the current claim.
    pub lease_token: Option<String>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    check_metadata(&body.fields)?;
    let secret = sent_token(&body.fields, &id)?;
    let actor = actors::resolve(&app, &caller, body.fields.text("actor")?.as_deref(), Unknown::Refuse).await?;
    let slot = app.keys.channel(id.channel());
    let reply = scripts::CLAIM_RELEASE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .int("n", id.micros().0)
        .arg("actor", actor.id.as_str())
        .arg("secret", &secret)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run_confirmed(&app.redis)
        .await
        .map_err(of_message)?;
    if reply.status() == "released" {
        app.tally.released(id.channel());
        app.metrics.work.released.inc();
    }
    let claimed = Claimed::read(&id, &reply)?;
    if reply.status() == "released" && reply.int(3)? == 1 {
        app.leases.ended(&caller.key, &id, claimed.record.attempt);
    }
    let message = claimed.view(&reply)?;
    Ok(Answer::ok(&ClaimStatus { status: "released".to_owned(), message })?.once(&once, reply.status() == "replayed"))
}
