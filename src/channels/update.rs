//! `PATCH /v1/channels/{identifier}`

use axum::extract::State;
use utoipa::ToSchema;

use super::listing::{self, Because};
use super::{ChannelView, Record, read, resolve, settings};
use crate::app::{App, tell_of_changed_names};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::ids::{ChannelId, Micros};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks;

pub static UPDATE_CHANNEL: Operation = Operation {
    id: "updateChannel",
    method: "PATCH",
    path: "/v1/channels/{identifier}",
    tag: "Channels",
    summary: "Change a channel",
    about: "Only the fields you send change. The owner may change all of them, members description, pinned_message and related_channels. \
            ttl_seconds never changes; mode only while the channel has no live messages.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: Some(schema::of::<UpdateChannel>),
    success: (200, Some(schema::of::<ChannelView>)),
    also: None,
    scripts: &[&scripts::CHANNEL_UPDATE, &scripts::CHANNEL_NAME_TAKE],
    refusals: &[
        Code::InvalidFields,
        Code::MissingField,
        Code::InvalidString,
        Code::InvalidField,
        Code::InvalidChannelName,
        Code::InvalidMode,
        Code::InvalidAccess,
        Code::InvalidDiscoverable,
        Code::InvalidRetentionDays,
        Code::InvalidMaxMessages,
        Code::InvalidMaxWritesPerMinute,
        Code::InvalidRelatedChannels,
        Code::InvalidMetadataSchema,
        Code::InvalidWebhookUrl,
        Code::ChannelNameInUse,
    ],
};

/// What to send: what is to change.
#[derive(ToSchema)]
pub struct UpdateChannel {
    pub name: Option<String>,
    pub mode: Option<String>,
    pub access: Option<String>,
    /// Stays as it is when access changes.
    pub discoverable: Option<bool>,
    pub description: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub metadata_schema: Option<String>,
    pub pinned_message: Option<String>,
    pub related_channels: Option<Vec<String>>,
    pub retention_days: Option<u64>,
    pub max_messages: Option<u64>,
    pub max_writes_per_minute: Option<u64>,
    pub paused: Option<bool>,
    /// http or https; null: none any more. The secret stays unless it is changed too.
    pub webhook_url: Option<String>,
    /// null: none any more.
    pub webhook_secret: Option<String>,
}

const FOR_MEMBERS: &[&str] = &["description", "pinned_message", "related_channels"];
const FOR_OWNER: &[&str] = &[
    "name",
    "mode",
    "access",
    "discoverable",
    "metadata_schema",
    "retention_days",
    "max_messages",
    "max_writes_per_minute",
    "paused",
    "webhook_url",
    "webhook_secret",
];

fn refuse_others(fields: &Fields) -> Result<()> {
    let mut others: Vec<&str> = fields.names().filter(|n| !FOR_MEMBERS.contains(n) && !FOR_OWNER.contains(n)).collect();
    others.sort_unstable();
    if others.is_empty() { Ok(()) } else { Err(ApiError::new(Code::InvalidFields).with("fields", others)) }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    refuse_others(&body.fields)?;
    let mut changes = settings::changes(&body.fields)?;
    settings::check_webhook(&changes, &app.webhook_guard)?;
    changes.extend(settings::mode(&body.fields)?.map(|m| ("mode", m)));
    changes.extend(settings::access(&body.fields)?.map(|a| ("access", a)));
    if let Some(words) = settings::related(&body.fields)? {
        changes.push(("related_channels", resolve::related(&app, &caller, &words).await?));
    }
    let findable = listing::wanted(&changes);
    enter_indexes(&app, &caller, &id, findable == Some(true), settings::sets_webhook(&changes)).await?;
    let for_members = body.fields.names().all(|n| FOR_MEMBERS.contains(&n));
    let (record, replayed) = if body.fields.has("name") {
        let name = settings::name(&body.fields)?;
        rename(&app, &caller, &id, &name, changes, &once).await?
    } else {
        update(&app, &caller, &id, changes, for_members, &once).await?
    };
    if findable == Some(false) && !replayed {
        listing::leave(&app, &id, Because::Hidden).await;
    }
    Ok(Answer::ok(&record.view(caller.key.as_str())?)?.once(&once, replayed))
}

/// Puts the caller's channel on the list of those that can be found, and into the index of outboxes, before it becomes one that belongs there.
async fn enter_indexes(app: &App, caller: &Caller, id: &ChannelId, findable: bool, hooked: bool) -> Result<()> {
    if !findable && !hooked {
        return Ok(());
    }
    let before = read::record(app, caller, id).await?;
    if before.text("owner") != caller.key.as_str() {
        return Err(ApiError::new(Code::Forbidden));
    }
    if hooked {
        webhooks::announce(app, id).await?;
    }
    if findable {
        listing::enter(app, id, Micros(before.number("created")?)).await?;
    }
    Ok(())
}

/// The new name is bound first, the record changed second, the old name freed last: a crash in between leaves both names leading to
/// this channel, which harms nobody.
async fn rename(
    app: &App,
    caller: &Caller,
    id: &ChannelId,
    name: &str,
    mut changes: settings::Changes,
    once: &Once,
) -> Result<(Record, bool)> {
    let before = read::record(app, caller, id).await?;
    if before.text("owner") != caller.key.as_str() {
        return Err(ApiError::new(Code::Forbidden));
    }
    let old = before.text("name").to_owned();
    if old != name {
        let bound = bind(app, caller, id, name).await?;
        if bound != *id {
            return Err(ApiError::new(Code::ChannelNameInUse).field("name").with("channel_id", bound.as_str()));
        }
    }
    changes.push(("name", name.to_owned()));
    let done = update(app, caller, id, changes, false, once).await;
    if old != name {
        // A late retry changes nothing: the channel may be called something else by now.
        let renamed = done.as_ref().is_ok_and(|(record, _)| record.text("name") == name);
        super::delete::free_name(app, &caller.key, if renamed { &old } else { name }, id, false).await?;
        tell_of_changed_names(app).await;
    }
    done
}

async fn bind(app: &App, caller: &Caller, id: &ChannelId, name: &str) -> Result<ChannelId> {
    let slot = app.keys.key(&caller.key);
    let reply = scripts::CHANNEL_NAME_TAKE
        .on(&slot)
        .key("record", caller.key.as_str())
        .key("channels", caller.key.as_str())
        .key("owned", caller.key.as_str())
        .key("pin", "-")
        .arg("name", name)
        .arg("id", id.as_str())
        .arg("instead_of", "")
        .int("cap", app.settings.max_channels_per_key + 1) // both names for a moment
        .int("pin_ms", 0)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    ChannelId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("a channel name stands for no channel id"))
}

async fn update(
    app: &App,
    caller: &Caller,
    id: &ChannelId,
    changes: settings::Changes,
    for_members: bool,
    once: &Once,
) -> Result<(Record, bool)> {
    let slot = app.keys.channel(id);
    let reply = scripts::CHANNEL_UPDATE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("for_members", if for_members { "1" } else { "" })
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .rest(changes.into_iter().flat_map(|(name, value)| [name.to_owned(), value]))
        .may_send_again(true) // the same values again are the same values
        .run(&app.redis)
        .await?;
    Ok((Record::read(id, &reply, 0)?, reply.status() == "replayed"))
}
