//! `POST /v1/channels/{identifier}/aliases`

use axum::extract::State;
use utoipa::ToSchema;

use super::settings::MAX_NAME;
use super::{ChannelView, read, resolve};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{ChannelId, looks_like_an_id};
use crate::names;
use crate::operation::{Auth, Operation, Scope};
use crate::store::{Reply, scripts};

/// Most aliases of one channel.
const MAX_ALIASES: u64 = 20;

pub static CREATE_CHANNEL_ALIAS: Operation = Operation {
    id: "createChannelAlias",
    method: "POST",
    path: "/v1/channels/{identifier}/aliases",
    tag: "Channels",
    summary: "Give a channel a global alias",
    about: "Owner only. Aliases are unique on the whole instance; anyone may use one in place of the id. Your own channel names win over aliases.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: Some(schema::of::<CreateChannelAlias>),
    success: (201, Some(schema::of::<ChannelView>)),
    also: None,
    scripts: &[&scripts::CHANNEL_ALIAS_ADD, &scripts::CHANNEL_READ],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidAlias, Code::AliasConflict],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateChannelAlias {
    /// 1 to 200 characters; must not look like an id.
    #[schema(example = "ops-alerts", max_length = 200)]
    pub alias: String,
}

/// The alias is bound first and listed second: a crash in between leaves an alias that works and is not listed; asking again lists it.
pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let alias = body.fields.required_text("alias")?;
    if !names::is_name(&alias, MAX_NAME) || looks_like_an_id(&alias) {
        return Err(ApiError::new(Code::InvalidAlias).field("alias"));
    }
    // First only whether the caller may, or did already.
    let mut added = add(&app, &caller, &id, "", &once).await?;
    if added.status() != "replayed" {
        let new = take(&app, &id, &alias).await?;
        added = match add(&app, &caller, &id, &alias, &once).await {
            Err(e) if new && e.code().spec().status < 500 => {
                free(&app, &alias, &id).await?; // the right to it was lost in between
                return Err(e);
            }
            done => done?,
        };
    }
    let view = read::record(&app, &caller, &id).await?.view(caller.key.as_str())?;
    Ok(Answer::created(&view)?.once(&once, added.status() == "replayed"))
}

/// Frees an alias, if it still stands for this channel; whether it did.
///
/// # Errors
/// Redis trouble.
pub async fn free(app: &App, alias: &str, id: &ChannelId) -> Result<bool> {
    let slot = app.keys.alias(alias);
    let reply = scripts::ALIAS_DROP.on(&slot).arg("id", id.as_str()).may_send_again(true).run(&app.redis).await?;
    Ok(reply.int(0)? == 1)
}

/// Whether the alias was free before.
async fn take(app: &App, id: &ChannelId, alias: &str) -> Result<bool> {
    let slot = app.keys.alias(alias);
    let mut instead_of = String::new();
    for _ in 0..2 {
        let reply = scripts::ALIAS_TAKE
            .on(&slot)
            .arg("id", id.as_str())
            .arg("instead_of", &instead_of)
            .may_send_again(true)
            .run(&app.redis)
            .await?;
        match reply.status() {
            "taken" => return Ok(true),
            "mine" => return Ok(false),
            _ => {}
        }
        let holder = ChannelId::parse(&reply.text(0)?);
        match holder {
            // Its channel may have been deleted by a replica that died before it freed the alias.
            Some(other) if !exists(app, &other).await? => instead_of = other.as_str().to_owned(),
            _ => break,
        }
    }
    Err(ApiError::new(Code::AliasConflict).field("alias"))
}

async fn exists(app: &App, id: &ChannelId) -> Result<bool> {
    let slot = app.keys.channel(id);
    match scripts::CHANNEL_READ.on(&slot).arg("key", "").may_send_again(true).run(&app.redis).await {
        Ok(_) => Ok(true),
        Err(e) if e.code() == Code::ChannelNotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Lists an alias on the channel's record; an empty one: only whether the caller may, or did already.
///
/// # Errors
/// `forbidden`, `quota_exceeded`, or Redis trouble.
pub async fn add(app: &App, caller: &Caller, id: &ChannelId, alias: &str, once: &Once) -> Result<Reply> {
    let slot = app.keys.channel(id);
    scripts::CHANNEL_ALIAS_ADD
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("alias", alias)
        .int("cap", MAX_ALIASES)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true)
        .run(&app.redis)
        .await
}
