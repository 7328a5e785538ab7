//! `POST /v1/channels`

use axum::extract::State;
use http::StatusCode;
use utoipa::ToSchema;

use super::settings::{self, Changes};
use super::{ChannelView, listing, read, resolve};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::ids::{ChannelId, Micros};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks;

pub static CREATE_CHANNEL: Operation = Operation {
    id: "createChannel",
    method: "POST",
    path: "/v1/channels",
    tag: "Channels",
    summary: "Create a named channel, claimable or broadcast",
    about: "Names are unique per key: creating the same name with the same mode and access again returns the channel (200, created: false), \
            so an agent may create at every start. Channels are open by default: any key that knows the id can read and post. \
            Use access: \"restricted\" where that is not wanted.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsWrite)),
    query: &[],
    request: Some(schema::of::<CreateChannel>),
    success: (201, Some(schema::of::<ChannelView>)),
    also: Some(200),
    scripts: &[&scripts::CHANNEL_NAME_TAKE, &scripts::CHANNEL_CREATE, &scripts::CHANNEL_READ],
    refusals: &[
        Code::MissingField,
        Code::InvalidString,
        Code::InvalidField,
        Code::InvalidChannelName,
        Code::InvalidMode,
        Code::InvalidAccess,
        Code::InvalidDiscoverable,
        Code::InvalidTtlSeconds,
        Code::InvalidRetentionDays,
        Code::InvalidMaxMessages,
        Code::InvalidMaxWritesPerMinute,
        Code::InvalidRelatedChannels,
        Code::InvalidMetadataSchema,
        Code::InvalidWebhookUrl,
    ],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateChannel {
    /// 1 to 200 characters, unique among your channels.
    #[schema(example = "deploy-jobs", max_length = 200)]
    pub name: String,
    /// `claimable` or `broadcast`.
    #[schema(example = "claimable")]
    pub mode: String,
    /// `open` or `restricted`.
    #[schema(default = "open")]
    pub access: Option<String>,
    /// Whether GET /v1/channels lists it. Open channels: the instance's default; restricted ones: false.
    pub discoverable: Option<bool>,
    pub description: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata_schema: Option<String>,
    pub pinned_message: Option<String>,
    /// Seconds until a message expires; cannot be changed later.
    #[schema(default = 86400, minimum = 1, maximum = 2592000)]
    pub ttl_seconds: Option<u64>,
    #[schema(default = 7, minimum = 1, maximum = 365)]
    pub retention_days: Option<u64>,
    #[schema(minimum = 1, maximum = 1000000)]
    pub max_messages: Option<u64>,
    #[schema(minimum = 1, maximum = 1000000)]
    pub max_writes_per_minute: Option<u64>,
    pub paused: Option<bool>,
    /// http or https, at most 2,048 bytes, without credentials.
    pub webhook_url: Option<String>,
    /// At most 512 bytes; never shown again.
    pub webhook_secret: Option<String>,
    /// Ids, aliases or names of yours.
    pub related_channels: Option<Vec<String>>,
}

/// A channel to be made, checked.
pub struct New {
    pub name: String,
    pub mode: String,
    pub access: String,
    pub fields: Changes,
}

impl New {
    /// A claimable, open channel with the instance's defaults, as `tasks/post` makes it.
    pub fn claimable(name: &str, app: &App) -> Self {
        let fields = defaults(app, app.settings.default_ttl_s, app.settings.default_discoverable);
        Self { name: name.to_owned(), mode: "claimable".into(), access: "open".into(), fields }
    }

    /// A claimable channel for its owner and those it invites; nobody else finds it.
    pub fn session(name: String, description: String, app: &App) -> Self {
        let mut fields = defaults(app, app.settings.default_ttl_s, false);
        fields.push(("description", description));
        Self { name, mode: "claimable".into(), access: "restricted".into(), fields }
    }

    async fn read(fields: &Fields, app: &App, caller: &Caller) -> Result<Self> {
        let name = settings::name(fields)?;
        let mode = settings::mode(fields)?
            .ok_or_else(|| ApiError::new(if fields.has("mode") { Code::InvalidMode } else { Code::MissingField }).field("mode"))?;
        let access = settings::access(fields)?.unwrap_or_else(|| "open".into());
        let mut all = defaults(app, settings::ttl_s(fields, app)?, access == "open" && app.settings.default_discoverable);
        all.extend(settings::changes(fields)?);
        settings::check_webhook(&all, &app.webhook_guard)?;
        if let Some(words) = settings::related(fields)? {
            all.push(("related_channels", resolve::related(app, caller, &words).await?));
        }
        Ok(Self { name, mode, access, fields: all })
    }
}

fn defaults(app: &App, ttl_s: u64, discoverable: bool) -> Changes {
    vec![
        ("ttl", ttl_s.to_string()),
        ("retention", (app.settings.default_retention_days * 86_400).to_string()),
        ("discoverable", if discoverable { "1" } else { "0" }.to_owned()),
        ("paused", "0".to_owned()),
    ]
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let new = New::read(&body.fields, &app, &caller).await?;
    let made = create(&app, &caller, &new, &once).await?;
    let view = read::record(&app, &caller, &made.id).await?.view(caller.key.as_str())?.made_now(made.created);
    Ok(Answer::json(if made.created { StatusCode::CREATED } else { StatusCode::OK }, &view)?.once(&once, made.replayed))
}

/// How a creation ended.
pub struct Made {
    pub id: ChannelId,
    /// Made by this request, or by the one whose answer this repeats.
    pub created: bool,
    pub replayed: bool,
}

/// Makes the channel, or finds the caller's channel of that name.
///
/// Two slots, so two steps: the name is bound to an id first, then the channel is made under that id. A crash between them leaves a name
/// that leads to nothing and that the next create makes good. A channel that can be found goes on the list of those in between.
///
/// # Errors
/// `channel_name_in_use` with `channel_id`, `quota_exceeded`, or Redis trouble.
pub async fn create(app: &App, caller: &Caller, new: &New, once: &Once) -> Result<Made> {
    let mut instead_of = String::new();
    let findable = listing::wanted(&new.fields) == Some(true);
    for _ in 0..3 {
        let (id, taken) = take_name(app, caller, &new.name, &instead_of, once).await?;
        if findable && taken {
            listing::enter(app, &id, Micros::default()).await?;
        }
        if settings::sets_webhook(&new.fields) {
            webhooks::announce(app, &id).await?;
        }
        match make(app, caller, new, &id, once).await? {
            Some((created, replayed)) => {
                if findable && created && !replayed && !taken {
                    listing::enter(app, &id, Micros::default()).await?; // the name was left by a create that came to no end
                }
                app.name_cache.forget(&caller.key, &new.name);
                return Ok(Made { id, created, replayed });
            }
            None => instead_of = id.as_str().to_owned(), // deleted, and its name not freed yet
        }
    }
    Err(ApiError::new(Code::StorageUnavailable).cause("a channel name kept leading to deleted channels"))
}

/// The id that the name stands for, and whether it was bound to it just now.
async fn take_name(app: &App, caller: &Caller, name: &str, instead_of: &str, once: &Once) -> Result<(ChannelId, bool)> {
    let slot = app.keys.key(&caller.key);
    let candidate = ChannelId::generate();
    let reply = scripts::CHANNEL_NAME_TAKE
        .on(&slot)
        .key("record", caller.key.as_str())
        .key("channels", caller.key.as_str())
        .key("owned", caller.key.as_str())
        .key("pin", &once.name)
        .arg("name", name)
        .arg("id", candidate.as_str())
        .arg("instead_of", instead_of)
        .int("cap", app.settings.max_channels_per_key)
        .int("pin_ms", once.ms)
        .may_send_again(true) // the name is bound at most once
        .run(&app.redis)
        .await?;
    let id = ChannelId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("a channel name stands for no channel id"))?;
    Ok((id, reply.status() == "taken"))
}

/// (created, replayed), or None if the id was deleted.
async fn make(app: &App, caller: &Caller, new: &New, id: &ChannelId, once: &Once) -> Result<Option<(bool, bool)>> {
    let slot = app.keys.channel(id);
    let own = [("name", new.name.clone()), ("owner_label", caller.admitted.label.clone())];
    let reply = scripts::CHANNEL_CREATE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("mode", &new.mode)
        .arg("access", &new.access)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .rest(own.iter().chain(&new.fields).flat_map(|(name, value)| [(*name).to_owned(), value.clone()]))
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await
        .map_err(|e| if e.code() == Code::ChannelNameInUse { e.field("name").with("channel_id", id.as_str()) } else { e })?;
    Ok(match reply.status() {
        "created" => Some((true, false)),
        "existing" => Some((false, false)),
        "replayed" => Some((reply.int(0)? == 1, true)),
        _ => None,
    })
}
