//! `DELETE /v1/messages/{message_id}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DELETE_MESSAGE: Operation = Operation {
    id: "deleteMessage",
    method: "DELETE",
    path: "/v1/messages/{message_id}",
    tag: "Messages",
    summary: "Retract a message",
    about: "For the key that posted it and the channel's owner, while nobody holds it.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<Retracted>)),
    also: None,
    scripts: &[&scripts::MESSAGE_RETRACT],
    refusals: &[],
};

/// A retracted message.
#[derive(Serialize, ToSchema)]
pub struct Retracted {
    /// Always `retracted`.
    status: &'static str,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let slot = app.keys.channel(id.channel());
    let reply = scripts::MESSAGE_RETRACT
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .int("n", id.micros().0)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run_confirmed(&app.redis)
        .await
        // A message whose channel is gone is gone.
        .map_err(|e| if e.code() == Code::ChannelNotFound { ApiError::new(Code::MessageNotFound) } else { e })?;
    app.holdings.saw(id.channel(), &reply, 0)?;
    Ok(Answer::ok(&Retracted { status: "retracted" })?.once(&once, reply.status() == "replayed"))
}
