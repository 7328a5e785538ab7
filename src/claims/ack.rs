//! `POST /v1/messages/{message_id}/ack`

use axum::extract::State;
use utoipa::ToSchema;

use super::{ClaimStatus, Claimed, check_metadata, of_message, sent_token};
use crate::actors::{self, Unknown};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::{Reply, scripts};
use crate::usage::holdings;

pub static ACK_MESSAGE: Operation = Operation {
    id: "ackMessage",
    method: "POST",
    path: "/v1/messages/{message_id}/ack",
    tag: "Claims",
    summary: "Acknowledge a message: the work is done",
    about: "Claimable channels: only the holder, and the message never comes back. Broadcast channels: anyone who can read, once an actor. \
            Asking again is fine: already_acknowledged. With lease_token: only if that lease is the current one, else 409 lease_lost. \
            Hand back what came out as result: whoever can read the channel gets it with GET /v1/messages/{message_id}. The first result of \
            a message stays.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesAck)),
    query: &[],
    request: Some(schema::of::<AckMessage>),
    success: (200, Some(schema::of::<ClaimStatus>)),
    also: None,
    scripts: &[&scripts::CLAIM_ACK, &scripts::CLAIM_ACK_WITH_RESULT],
    refusals: &[
        Code::InvalidString,
        Code::InvalidObject,
        Code::ContentTooLarge,
        Code::ActorNotFound,
        Code::ActorForbidden,
        Code::InvalidActorName,
        Code::QuotaExceeded,
    ],
};

/// What to send.
#[derive(ToSchema)]
pub struct AckMessage {
    /// The actor that holds it. Default: your key's own actor.
    #[schema(example = "worker-1")]
    pub actor: Option<String>,
    /// Proof that yours is the current claim.
    pub lease_token: Option<String>,
    /// What came out, for the message's receipt; as long as a message's content may be. Trimmed; empty is none. It lives as long as the
    /// message.
    pub result: Option<String>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    check_metadata(&body.fields)?;
    let secret = sent_token(&body.fields, &id)?;
    let result = result(&body.fields, app.settings.max_message_bytes)?;
    let actor = actors::resolve(&app, &caller, body.fields.text("actor")?.as_deref(), Unknown::Register).await?;
    let slot = app.keys.channel(id.channel());
    let reply = loop {
        let call = match &result {
            Some(text) => scripts::CLAIM_ACK_WITH_RESULT.on(&slot).arg("result", text),
            None => scripts::CLAIM_ACK.on(&slot),
        };
        let reply = call
            .key("idem", &once.name)
            .arg("key", caller.key.as_str())
            .int("n", id.micros().0)
            .arg("actor", actor.id.as_str())
            .arg("name", &actor.name)
            .arg("secret", &secret)
            .int("idem_ms", once.ms)
            .arg("body", &once.body)
            .may_send_again(true) // done is done
            .run_confirmed(&app.redis)
            .await
            .map_err(of_message)?;
        // Twice at most, unless the channel's owner fills up again meanwhile: then it is refused.
        if holdings::was_done(&app, id.channel(), &reply).await? {
            break reply;
        }
    };
    let claimed = Claimed::read(&id, &reply)?;
    if reply.status() == "acknowledged" {
        count(&app, &caller, &claimed, &reply)?;
    }
    let status = if reply.status() == "replayed" { "acknowledged" } else { reply.status() }.to_owned();
    let message = claimed.view(&reply)?;
    Ok(Answer::ok(&ClaimStatus { status, message })?.once(&once, reply.status() == "replayed"))
}

fn count(app: &App, caller: &Caller, claimed: &Claimed, reply: &Reply) -> Result<()> {
    let id = &claimed.id;
    app.tally.acked(&caller.key, id.channel());
    app.metrics.work.acknowledged.inc();
    if reply.int(3)? == 1 {
        app.leases.ended(&caller.key, id, claimed.record.attempt);
    }
    app.holdings.saw(id.channel(), reply, 4)
}

/// The result that is sent along, if there is one.
fn result(fields: &Fields, most: usize) -> Result<Option<String>> {
    let result = fields.text("result")?.filter(|r| !r.is_empty());
    match result.as_ref().map_or(0, String::len) {
        bytes if bytes > most => Err(wrong(Code::ContentTooLarge, "result", &format!("has at most {most} bytes"))
            .with("max_content_bytes", most)
            .with("received_bytes", bytes)),
        _ => Ok(result),
    }
}
