//! `/v1/tasks/{message_id}/result`, for older clients.
//!
//! Results are messages of a restricted broadcast channel of the task's poster. Its id follows from the task's, so nothing has to be
//! looked up, and it ends by itself, so that tasks do not use up the poster's channels.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::app::App;
use crate::claims::of_message;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{ChannelId, KeyId, MessageId, Micros, result_channel_name};
use crate::messages::MessageView;
use crate::messages::list::{Ask, Status, read};
use crate::messages::post::{PostMessage, REFUSALS, post};
use crate::operation::{Auth, Deprecated, Operation, Scope};
use crate::store::scripts;
use crate::webhooks;

pub static TASK_PUBLISH_RESULT: Operation = Operation {
    id: "taskPublishResult",
    method: "POST",
    path: "/v1/tasks/{message_id}/result",
    tag: "Tasks",
    summary: "Publish the result of a task",
    about: "For whoever can read the task's channel. metadata.task_id is added. The first result is the one that the producer gets.",
    deprecated: Some(Deprecated { successor: "/v1/messages/{message_id}/ack" }),
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<PostMessage>),
    success: (201, Some(schema::of::<PublishedResult>)),
    also: None,
    scripts: &[&scripts::TASK_ORIGIN, &scripts::MESSAGE_POST, &scripts::MEMBER_ADD],
    refusals: REFUSALS,
};

pub static TASK_AWAIT_RESULT: Operation = Operation {
    id: "taskAwaitResult",
    method: "GET",
    path: "/v1/tasks/{message_id}/result",
    tag: "Tasks",
    summary: "Get the first result of a task",
    about: "Answers at once: 404 result_not_ready until there is one. For whoever can read the task's channel.",
    deprecated: Some(Deprecated { successor: "/v1/messages/{message_id}" }),
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<TaskResult>)),
    also: None,
    scripts: &[&scripts::TASK_ORIGIN],
    refusals: &[Code::ResultNotReady],
};

/// For how long a result channel outlives what can be read in it, and its task.
const GRACE_S: u64 = 86_400;

/// A published result.
#[derive(Serialize, ToSchema)]
pub struct PublishedResult {
    #[schema(example = "result-of-msg_7h2kq5w3m4n6p2r5t3vx1760000000123456")]
    result_channel: String,
    message: MessageView,
}

/// The result of a task.
#[derive(Serialize, ToSchema)]
pub struct TaskResult {
    /// The id of the task's message.
    task_id: String,
    result: MessageView,
}

/// The publisher becomes a member of the result channel, and so can read what it published there.
pub async fn publish(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let task = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let mut message = PostMessage::read(&body.fields, &app)?;
    message.metadata = Some(with_task_id(message.metadata.as_deref(), &task)?);
    let (poster, ttl_s) = origin(&app, &caller, &task).await?;
    let channel = open_channel(&app, &task, &poster, &label(&app, &poster).await?, ttl_s).await?;
    if poster != caller.key {
        join(&app, &channel, &poster, &caller.key).await?;
    }
    let (message, replayed) = post(&app, &caller, &channel, message, false, &once).await?;
    Ok(Answer::created(&PublishedResult { result_channel: result_channel_name(&task), message })?.once(&once, replayed))
}

pub async fn show(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let task = params.message_id()?;
    origin(&app, &caller, &task).await?;
    let first = Ask { cursor: Micros(0), status: Status::All, before: Micros(0), limit: 1, sent: None };
    // Who may read the task's channel may read the result: checked above.
    let found = match read(&app, "", &ChannelId::of_results(&task), &first).await {
        Ok(read) => read.page.data.into_iter().next(),
        Err(e) if e.code() == Code::ChannelNotFound => None,
        Err(e) => return Err(e),
    };
    let result = found.ok_or_else(|| ApiError::new(Code::ResultNotReady))?;
    Answer::ok(&TaskResult { task_id: task.to_string(), result })
}

/// Who posted a task, and for how many seconds messages of its channel live.
///
/// # Errors
/// `message_not_found`, `channel_access_denied`, or Redis trouble.
pub(super) async fn origin(app: &App, caller: &Caller, task: &MessageId) -> Result<(KeyId, u64)> {
    let slot = app.keys.channel(task.channel());
    let call = scripts::TASK_ORIGIN.on(&slot).arg("key", caller.key.as_str()).int("n", task.micros().0);
    let reply = call.may_send_again(true).run(&app.redis).await.map_err(of_message)?;
    let poster = KeyId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("a message names no poster"))?;
    Ok((poster, reply.uint(1)? / 1_000_000))
}

/// The channel that results of this task go to, made if it is not there, and good for another while.
///
/// Made first, given its end second: a crash in between leaves a channel that has its owner and no end, until the task is asked for again.
///
/// # Errors
/// `channel_not_found` when its owner has deleted it; Redis trouble.
pub(super) async fn open_channel(app: &App, task: &MessageId, owner: &KeyId, label: &str, ttl_s: u64) -> Result<ChannelId> {
    let channel = ChannelId::of_results(task);
    let slot = app.keys.channel(&channel);
    let fields = [
        ("name", result_channel_name(task)),
        ("owner_label", label.to_owned()),
        ("ttl", ttl_s.to_string()),
        ("retention", GRACE_S.to_string()),
        ("discoverable", "0".to_owned()),
        ("paused", "0".to_owned()),
    ];
    let made = scripts::CHANNEL_CREATE
        .on(&slot)
        .key("idem", "-")
        .arg("key", owner.as_str())
        .arg("mode", "broadcast")
        .arg("access", "restricted")
        .int("idem_ms", 0)
        .arg("body", "")
        .rest(fields.into_iter().flat_map(|(name, value)| [name.to_owned(), value]))
        .may_send_again(true) // a second time finds it
        .run(&app.redis)
        .await?;
    if made.status() == "gone" {
        return Err(ApiError::new(Code::ChannelNotFound));
    }
    // A log lives some percent longer than what it holds; the record has to be there as long.
    let life_ms = (ttl_s + GRACE_S) * 1030 + 120_000;
    let call = scripts::CHANNEL_END_AFTER.on(&slot).arg("key", owner.as_str()).int("life_ms", life_ms);
    call.may_send_again(true).run(&app.redis).await?;
    Ok(channel)
}

/// The label of a key, for display; its id when it was revoked.
async fn label(app: &App, key: &KeyId) -> Result<String> {
    let slot = app.keys.key(key);
    match scripts::KEY_READ.on(&slot).key("record", key.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) => reply.text(0),
        Err(e) if e.code() == Code::KeyNotFound => Ok(key.as_str().to_owned()),
        Err(e) => Err(e),
    }
}

async fn join(app: &App, channel: &ChannelId, owner: &KeyId, publisher: &KeyId) -> Result<()> {
    let slot = app.keys.channel(channel);
    let reply = scripts::MEMBER_ADD
        .on(&slot)
        .key("idem", "-")
        .arg("key", owner.as_str())
        .arg("member", publisher.as_str())
        .int("cap", app.settings.max_members_per_channel)
        .int("idem_ms", 0)
        .arg("body", "")
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    if reply.int(2)? == 1 {
        webhooks::hand_over_later(app, channel);
    }
    Ok(())
}

/// The metadata that was sent, each field in its own words, and the task's id.
fn with_task_id(metadata: Option<&str>, task: &MessageId) -> Result<String> {
    let broken = |e: serde_json::Error| ApiError::internal(format!("metadata cannot be read again: {e}"));
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(metadata.unwrap_or("{}")).map_err(broken)?;
    let id = RawValue::from_string(format!("\"{task}\"")).map_err(broken)?;
    fields.insert("task_id".to_owned(), id);
    serde_json::to_string(&fields).map_err(broken)
}
