//! `DELETE /v1/channels/{identifier}/members/{member_key_id}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static REMOVE_CHANNEL_MEMBER: Operation = Operation {
    id: "removeChannelMember",
    method: "DELETE",
    path: "/v1/channels/{identifier}/members/{member_key_id}",
    tag: "Members",
    summary: "Put a key out of a channel",
    about: "Owner only. It counts from the next request on, on every replica; calls of that key that wait are answered 403.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<Removed>)),
    also: None,
    scripts: &[&scripts::MEMBER_REMOVE],
    refusals: &[],
};

/// A key that is no member any more.
#[derive(Serialize, ToSchema)]
pub struct Removed {
    /// Always `removed`.
    status: &'static str,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::MEMBER_REMOVE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("member", params.text("member_key_id")?)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    Ok(Answer::ok(&Removed { status: "removed" })?.once(&once, reply.status() == "replayed"))
}
