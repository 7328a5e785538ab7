//! `DELETE /v1/channels/{identifier}/aliases/{alias}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{aliases, resolve};
use crate::app::{App, tell_of_changed_names};
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DELETE_CHANNEL_ALIAS: Operation = Operation {
    id: "deleteChannelAlias",
    method: "DELETE",
    path: "/v1/channels/{identifier}/aliases/{alias}",
    tag: "Channels",
    summary: "Take an alias off a channel",
    about: "Owner only. The alias is free again: anyone may give it to another channel. Messages, name and id stay.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<RemovedAlias>)),
    also: None,
    scripts: &[&scripts::CHANNEL_ALIAS_REMOVE],
    refusals: &[],
};

/// An alias that stands for the channel or actor no more.
#[derive(Serialize, ToSchema)]
pub struct RemovedAlias {
    /// Always `removed`.
    status: &'static str,
}

impl RemovedAlias {
    pub const REMOVED: Self = Self { status: "removed" };
}

/// The alias is freed first and taken off the record second: a crash in between leaves a listed alias that leads nowhere; asking again
/// takes it off.
pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let alias = params.text("alias")?.trim();
    // First only whether the caller may, or did already.
    let mut done = aliases::add(&app, &caller, &id, "", &once).await?;
    if done.status() != "replayed" {
        let freed = aliases::free(&app, alias, &id).await?;
        let slot = app.keys.channel(&id);
        done = scripts::CHANNEL_ALIAS_REMOVE
            .on(&slot)
            .key("idem", &once.name)
            .arg("key", caller.key.as_str())
            .arg("alias", alias)
            .arg("freed", if freed { "1" } else { "" })
            .int("idem_ms", once.ms)
            .arg("body", &once.body)
            .may_send_again(once.is_kept())
            .run(&app.redis)
            .await?;
        tell_of_changed_names(&app).await;
    }
    Ok(Answer::ok(&RemovedAlias::REMOVED)?.once(&once, done.status() == "replayed"))
}
