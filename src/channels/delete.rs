//! `DELETE /v1/channels/{identifier}`

use axum::extract::State;

use super::listing::{self, Because};
use super::{aliases, resolve};
use crate::app::{App, tell_of_changed_names};
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{ChannelId, KeyId};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::usage::holdings;
use crate::webhooks;

pub static DELETE_CHANNEL: Operation = Operation {
    id: "deleteChannel",
    method: "DELETE",
    path: "/v1/channels/{identifier}",
    tag: "Channels",
    summary: "Delete a channel",
    about: "Owner only. Id, aliases, name and messages are gone at once; who waits on it is answered 404.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (204, None),
    also: None,
    scripts: &[&scripts::CHANNEL_DELETE],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let replayed = delete(&app, &caller.key, &id, &once).await?;
    Ok(Answer::no_content().once(&once, replayed))
}

/// Deletes a channel as `key`; whether it was done before. The channel goes first, its names after it: a crash in between leaves names
/// that lead to nothing, which read as not found and are taken over by the next who wants them.
///
/// # Errors
/// `channel_not_found`, `channel_access_denied`, `forbidden`, or Redis trouble.
pub async fn delete(app: &App, key: &KeyId, id: &ChannelId, once: &Once) -> Result<bool> {
    let slot = app.keys.channel(id);
    let reply = scripts::CHANNEL_DELETE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", key.as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    let replayed = reply.status() == "replayed";
    if !replayed {
        free_names(app, key, id, &reply.text(0)?, &reply.text(1)?).await?;
    }
    Ok(replayed)
}

/// Frees all that leads to a channel which was deleted: its place on the list, among what its owner holds and in the index of outboxes, its owner's name for it, its aliases, each
/// ended by \31.
///
/// # Errors
/// Redis trouble.
pub async fn free_names(app: &App, owner: &KeyId, id: &ChannelId, name: &str, all_aliases: &str) -> Result<()> {
    listing::leave(app, id, Because::Deleted).await;
    holdings::forget(app, owner, id).await;
    webhooks::forget(app, id).await;
    free_name(app, owner, name, id, true).await?;
    for alias in all_aliases.split('\u{1f}').filter(|a| !a.is_empty()) {
        aliases::free(app, alias, id).await?;
    }
    tell_of_changed_names(app).await;
    Ok(())
}

/// Frees a name of a key, if it still stands for this channel. `gone`: the channel was deleted; else it goes on under another name.
///
/// # Errors
/// Redis trouble.
pub async fn free_name(app: &App, key: &KeyId, name: &str, id: &ChannelId, gone: bool) -> Result<()> {
    let slot = app.keys.key(key);
    scripts::CHANNEL_NAME_DROP
        .on(&slot)
        .key("channels", key.as_str())
        .key("owned", key.as_str())
        .arg("name", name)
        .arg("id", id.as_str())
        .arg("gone", if gone { "1" } else { "" })
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    Ok(())
}
