//! `POST /v1/tasks/post-with-result`, for older clients.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::post::{PostTask, REFUSALS, hand_over};
use super::result::{open_channel, origin};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Body, Caller, Once};
use crate::ids::{MessageId, result_channel_name};
use crate::messages::MessageView;
use crate::operation::{Auth, Deprecated, Operation, Scope};
use crate::store::scripts;

pub static TASK_POST_WITH_RESULT: Operation = Operation {
    id: "taskPostWithResult",
    method: "POST",
    path: "/v1/tasks/post-with-result",
    tag: "Tasks",
    summary: "Hand a task to one consumer and await its result",
    about: "As taskPost, and a restricted broadcast channel named result-of-<message id> is opened for the result; you own it, its name \
            works in place of its id. It ends by itself, a day after the task would expire. Poll result_url, or read that channel with wait.",
    deprecated: Some(Deprecated { successor: "/v1/tasks/post" }),
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<PostTask>),
    success: (201, Some(schema::of::<TaskWithResult>)),
    also: None,
    scripts: &[&scripts::MESSAGE_POST, &scripts::CHANNEL_NAME_TAKE, &scripts::CHANNEL_CREATE],
    refusals: REFUSALS,
};

/// A posted task, and where its result will be.
#[derive(Serialize, ToSchema)]
pub struct TaskWithResult {
    message: MessageView,
    /// The id of the task's channel.
    channel: String,
    #[schema(example = "result-of-msg_7h2kq5w3m4n6p2r5t3vx1760000000123456")]
    result_channel: String,
    #[schema(example = "/v1/tasks/msg_7h2kq5w3m4n6p2r5t3vx1760000000123456/result")]
    result_url: String,
}

/// The task is posted first, its result channel opened second: a crash in between leaves a task whose result channel is opened when the
/// result is published, or by a retry with the same Idempotency-Key.
pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let (message, channel, replayed) = hand_over(&app, &caller, &body, &once).await?;
    let task = MessageId::parse(&message.id).ok_or_else(|| ApiError::internal("a posted message has no message id"))?;
    let (_, ttl_s) = origin(&app, &caller, &task).await?;
    open_channel(&app, &task, &caller.key, &caller.admitted.label, ttl_s).await?;
    let view = TaskWithResult {
        message,
        channel: channel.as_str().to_owned(),
        result_channel: result_channel_name(&task),
        result_url: format!("/v1/tasks/{task}/result"),
    };
    Ok(Answer::created(&view)?.once(&once, replayed))
}
