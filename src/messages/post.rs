//! `POST /v1/channels/{identifier}/messages`

use axum::extract::State;
use serde_json::json;
use utoipa::ToSchema;

use super::mentions::{self, MAX_MENTIONS};
use super::{Head, MAX_METADATA_BYTES, MessageEnvelope, MessageView, Stored};
use crate::actors::{self, Unknown};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::ids::ChannelId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::telemetry;
use crate::usage::holdings;
use crate::webhooks;

/// How often a post is tried because the schema has changed meanwhile, or its channel's owner has room again.
const TRIES: usize = 4;
/// About what the store needs for a message besides its content and metadata.
const ENTRY_BYTES: usize = 300;
/// Sent in place of a fingerprint for metadata that does not fit.
const NOT_FIT: &str = "-";
/// Longest `actor_label`, in bytes.
const MAX_LABEL_BYTES: usize = 256;

pub static CREATE_MESSAGE: Operation = Operation {
    id: "createMessage",
    method: "POST",
    path: "/v1/channels/{identifier}/messages",
    tag: "Messages",
    summary: "Post a message",
    about: "On a claimable channel it is a task that exactly one agent gets; on a broadcast channel everybody reads it. \
            Send an Idempotency-Key and repeat the request with it if the answer gets lost: it takes effect once.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<PostMessage>),
    success: (201, Some(schema::of::<MessageEnvelope>)),
    also: None,
    scripts: &[&scripts::MESSAGE_POST],
    refusals: REFUSALS,
};

/// What Rust refuses of a message before any script runs.
pub const REFUSALS: &[Code] = &[
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
];

/// What to send.
#[derive(ToSchema, Clone)]
pub struct PostMessage {
    /// The task or message itself.
    #[schema(example = "Summarise https://example.com/report.pdf")]
    pub content: String,
    /// An actor of yours: id, name or alias.
    pub actor: Option<String>,
    /// Or free text.
    pub actor_label: Option<String>,
    /// Structured data of yours, at most 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
    /// At most 50 actor ids or aliases, no names. Who may not read the channel is left out.
    #[schema(example = json!(["researcher"]), max_items = 50)]
    pub mentions: Option<Vec<String>>,
}

impl PostMessage {
    /// Reads and checks the fields that say what to post.
    ///
    /// # Errors
    /// One of [`REFUSALS`], naming the field.
    pub fn read(fields: &Fields, app: &App) -> Result<Self> {
        let content = fields.required_text("content")?;
        let most = app.settings.max_message_bytes;
        if content.len() > most {
            return Err(ApiError::new(Code::ContentTooLarge)
                .field("content")
                .with("max_content_bytes", most)
                .with("received_bytes", content.len()));
        }
        let metadata = fields.object("metadata")?;
        if let Some(m) = metadata.as_ref().filter(|m| m.len() > MAX_METADATA_BYTES) {
            return Err(ApiError::new(Code::MetadataTooLarge)
                .field("metadata")
                .with("max_metadata_bytes", MAX_METADATA_BYTES)
                .with("received_bytes", m.len()));
        }
        let actor_label = fields.text("actor_label")?;
        if actor_label.as_ref().is_some_and(|l| l.len() > MAX_LABEL_BYTES) {
            return Err(wrong(Code::InvalidString, "actor_label", &format!("has at most {MAX_LABEL_BYTES} bytes")));
        }
        Ok(Self {
            content,
            actor: fields.text("actor")?,
            actor_label,
            metadata,
            mentions: fields.texts("mentions", Code::InvalidMentions, MAX_MENTIONS)?,
        })
    }

    /// Who the message is from: the actor named; else the label alone; else the key's own actor.
    async fn head(&self, app: &App, caller: &Caller) -> Result<Head> {
        let label = self.actor_label.clone().unwrap_or_default();
        let named = self.actor.as_deref().is_some_and(|a| !a.is_empty());
        if !named && !label.is_empty() {
            return Ok(Head { key: caller.key.as_str().to_owned(), label, post: telemetry::mark(), ..Head::default() });
        }
        let actor = actors::resolve(app, caller, self.actor.as_deref(), Unknown::Refuse).await?;
        let actor_id = actor.id.as_str().to_owned();
        Ok(Head { key: caller.key.as_str().to_owned(), actor_id, actor_name: actor.name, label, post: telemetry::mark() })
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let message = PostMessage::read(&body.fields, &app)?;
    let (posted, replayed) = post(&app, &caller, &channel, message, false, &once).await?;
    Ok(Answer::created(&MessageEnvelope::new(posted))?.once(&once, replayed))
}

/// Posts a message. `task`: only if the channel is claimable.
///
/// A replay is rebuilt from the first answer's number and the request, which must be the same, so no content is kept for it.
///
/// # Errors
/// What `lua/messages/post.lua` refuses; `quota_exceeded` where the poster or the channel's owner has as much as it may; `metadata_validation_failed`; `outcome_unknown` when the answer was lost and there is no Idempotency-Key.
pub async fn post(
    app: &App,
    caller: &Caller,
    channel: &ChannelId,
    message: PostMessage,
    task: bool,
    once: &Once,
) -> Result<(MessageView, bool)> {
    let floor = app.redis.clock().floor();
    app.budget.check(&caller.key, floor)?;
    let head = message.head(app, caller).await?;
    let metadata = message.metadata.unwrap_or_default();
    let mentions = match message.mentions.as_deref() {
        None | Some([]) => String::new(),
        Some(words) => Box::pin(mentions::candidates(app, caller, channel, words)).await?, // boxed: seldom
    };
    let slot = app.keys.channel(channel);
    let packed = head.pack();
    let mut schema = app.schemas.of(channel);
    for _ in 0..TRIES {
        let violations = schema.as_ref().map(|s| s.violations(&metadata)).unwrap_or_default();
        // Also what is known to be wrong is asked for: only the store knows whether this is still the schema, and whether the caller may
        // learn what it asks for.
        let checked = schema.as_ref().map_or("", |s| if violations.is_empty() { s.fingerprint() } else { NOT_FIT });
        let reply = scripts::MESSAGE_POST
            .on(&slot)
            .key("idem", &once.name)
            .arg("head", &packed)
            .arg("content", &message.content)
            .arg("metadata", &metadata)
            .int("floor", floor.0)
            .int("cap", app.settings.max_messages_per_channel)
            .int("cap_bytes", app.settings.max_bytes_per_channel)
            .arg("task", if task { "1" } else { "" })
            .arg("schema", checked)
            .arg("mentions", &mentions)
            .int("idem_ms", once.ms)
            .arg("body", &once.body)
            .may_send_again(once.is_kept())
            .to_be_confirmed()
            .run(&app.redis)
            .await?;
        if !holdings::was_done(app, channel, &reply).await? {
            continue;
        }
        if reply.status() != "schema_changed" {
            let micros = reply.micros(0)?;
            let told = reply.len() > 2; // it mentions somebody, is pushed, or looked at what the channel holds
            if told && reply.int(2)? == 1 {
                webhooks::hand_over_later(app, channel);
            }
            let mentions = if reply.len() > 3 { reply.text(3)? } else { String::new() };
            let stored = Stored { micros, head, content: message.content, metadata, mentions };
            let replayed = reply.status() == "replayed";
            if !replayed {
                app.metrics.work.posted.inc();
                app.tally.posted(&caller.key, stored.content.len() + stored.metadata.len() + ENTRY_BYTES);
                app.holdings.saw(channel, &reply, 4)?;
            }
            app.redis.confirm(&slot, &reply).await?;
            return Ok((stored.view(channel, None, reply.uint(1)?, micros)?, replayed));
        }
        let now = reply.text(0)?;
        if !violations.is_empty() && schema.is_some_and(|s| s.fingerprint() == now) {
            return Err(ApiError::new(Code::MetadataValidationFailed).field("metadata").with("violations", json!(violations)));
        }
        schema = Some(app.schemas.learn(channel, &now, &reply.text(1)?)?);
    }
    Err(ApiError::new(Code::Overloaded).because("The channel kept changing; nothing was posted."))
}
