//! `POST /v1/tasks/broadcast`

use axum::extract::State;
use utoipa::ToSchema;

use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once};
use crate::messages::MessageEnvelope;
use crate::messages::post::{PostMessage, REFUSALS, post};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static TASK_BROADCAST: Operation = Operation {
    id: "taskBroadcast",
    method: "POST",
    path: "/v1/tasks/broadcast",
    tag: "Tasks",
    summary: "Post a message to a channel that exists",
    about: "The same as POST …/messages, with the channel in the body.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<Broadcast>),
    success: (201, Some(schema::of::<MessageEnvelope>)),
    also: None,
    scripts: &[&scripts::MESSAGE_POST],
    refusals: REFUSALS,
};

/// What to send.
#[derive(ToSchema)]
pub struct Broadcast {
    /// Id, name of yours, or alias.
    pub channel: String,
    pub content: String,
    pub actor: Option<String>,
    pub actor_label: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
    pub mentions: Option<Vec<String>>,
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = super::channel(&app, &caller, &body.fields, &once).await?;
    let message = PostMessage::read(&body.fields, &app)?;
    let (posted, replayed) = post(&app, &caller, &channel, message, false, &once).await?;
    Ok(Answer::created(&MessageEnvelope::new(posted))?.once(&once, replayed))
}
