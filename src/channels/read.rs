//! `GET /v1/channels/{identifier}`

use axum::extract::State;

use super::{ChannelView, Record, resolve};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Caller, Params};
use crate::ids::ChannelId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static GET_CHANNEL: Operation = Operation {
    id: "getChannel",
    method: "GET",
    path: "/v1/channels/{identifier}",
    tag: "Channels",
    summary: "Get a channel",
    about: "By id, by alias, or by name if the channel is yours.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ChannelView>)),
    also: None,
    scripts: &[&scripts::CHANNEL_READ],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let id = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    Answer::ok(&record(&app, &caller, &id).await?.view(caller.key.as_str())?)
}

/// Whether the caller owns the channel or is a member of it.
///
/// # Errors
/// Redis trouble.
pub async fn is_insider(app: &App, caller: &Caller, id: &ChannelId) -> Result<bool> {
    let slot = app.keys.channel(id);
    match scripts::MEMBER_CHECK.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) => Ok(reply.status() == "member"),
        Err(e) if e.code() == Code::ChannelNotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The record, if the caller may read the channel.
///
/// # Errors
/// `channel_not_found`, `channel_access_denied`, or Redis trouble.
pub async fn record(app: &App, caller: &Caller, id: &ChannelId) -> Result<Record> {
    let slot = app.keys.channel(id);
    let reply = scripts::CHANNEL_READ.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await?;
    Record::read(id, &reply, 0)
}
