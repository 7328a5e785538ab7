//! `POST /v1/tasks/post`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::create::{self, New};
use crate::channels::{read, resolve};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once};
use crate::ids::{ChannelId, looks_like_an_id};
use crate::messages::MessageView;
use crate::messages::post::{PostMessage, post};
use crate::names;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static TASK_POST: Operation = Operation {
    id: "taskPost",
    method: "POST",
    path: "/v1/tasks/post",
    tag: "Tasks",
    summary: "Hand a task to one consumer",
    about: "channel is an id, a name of yours, or an alias of a channel you own or are a member of. If it is none of these, an open claimable channel \
            of that name is created (with scope channels:write). The answer's `channel` is its id: give that to the consumer.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<PostTask>),
    success: (201, Some(schema::of::<PostedTask>)),
    also: None,
    scripts: &[&scripts::MESSAGE_POST, &scripts::CHANNEL_NAME_TAKE, &scripts::CHANNEL_CREATE],
    refusals: REFUSALS,
};

/// What Rust refuses of a task before any script runs.
pub(super) const REFUSALS: &[Code] = &[
    Code::MissingField,
    Code::InvalidString,
    Code::InvalidObject,
    Code::ContentTooLarge,
    Code::MetadataTooLarge,
    Code::MetadataValidationFailed,
    Code::InvalidMentions,
    Code::ActorNotFound,
    Code::ActorForbidden,
    Code::InvalidActorName,
    Code::InvalidChannelName,
    Code::InsufficientScope,
];

/// What to send.
#[derive(ToSchema)]
pub struct PostTask {
    /// Id, name or alias; created on the fly if it is a new name.
    #[schema(example = "deploy-jobs")]
    pub channel: String,
    pub content: String,
    pub actor: Option<String>,
    pub actor_label: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
    pub mentions: Option<Vec<String>>,
}

/// A posted task.
#[derive(Serialize, ToSchema)]
pub struct PostedTask {
    message: MessageView,
    /// The channel's id.
    channel: String,
    next_cursor: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let (message, channel, replayed) = hand_over(&app, &caller, &body, &once).await?;
    let next_cursor = Some(message.created_at.clone());
    Ok(Answer::created(&PostedTask { message, channel: channel.as_str().to_owned(), next_cursor })?.once(&once, replayed))
}

/// Posts the task that the body describes, into the channel that it names or that is made for it; whether that was done before.
///
/// # Errors
/// What the operation refuses.
pub(super) async fn hand_over(app: &App, caller: &Caller, body: &Body, once: &Once) -> Result<(MessageView, ChannelId, bool)> {
    let word = body.fields.required_text("channel")?;
    let message = PostMessage::read(&body.fields, app)?;
    let mut channel = find_or_create(app, caller, &word, once).await?;
    let (message, replayed) = match post(app, caller, &channel, message, true, once).await {
        // The name was taken, its channel not yet made: by a request that runs now, or that died in between.
        Err(e) if e.code() == Code::ChannelNotFound && ChannelId::parse(&word).is_none() => {
            channel = open_under_name(app, caller, &word, &once.pin_only()).await?;
            post(app, caller, &channel, PostMessage::read(&body.fields, app)?, true, once).await?
        }
        done => done?,
    };
    Ok((message, channel, replayed))
}

/// A stranger's alias must not capture tasks: it counts only if the caller owns its channel or is a member of it (protocol, chapter 7).
async fn find_or_create(app: &App, caller: &Caller, word: &str, once: &Once) -> Result<ChannelId> {
    if let Some(id) = ChannelId::parse(word) {
        return Ok(id);
    }
    let once = once.pin_only();
    if let Some(id) = resolve::own_or_pinned(app, caller, word, &once).await? {
        return Ok(id);
    }
    if let Some(id) = resolve::alias(app, word).await?
        && read::is_insider(app, caller, &id).await?
    {
        return resolve::pin(app, caller, word, &id, &once).await;
    }
    if !names::is_name(word, crate::channels::settings::MAX_NAME) || looks_like_an_id(word) {
        return Err(ApiError::new(Code::InvalidChannelName).field("channel"));
    }
    open_under_name(app, caller, word, &once).await
}

/// The caller's channel of this name, made if there is none; the same one for all retries of a request. An existing channel is taken as
/// it is: whether it can be claimed, the post decides.
async fn open_under_name(app: &App, caller: &Caller, name: &str, once: &Once) -> Result<ChannelId> {
    caller.require(Scope::ChannelsWrite)?; // this makes a channel
    let new = New::claimable(name, app);
    match create::create(app, caller, &new, once).await {
        Ok(made) => Ok(made.id),
        Err(e) if e.code() == Code::ChannelNameInUse => resolve::own_or_pinned(app, caller, name, once).await?.ok_or(e),
        Err(e) => Err(e),
    }
}
