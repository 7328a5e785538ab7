//! `POST /v1/admin/channels/{identifier}/pause` and `…/resume`

use axum::extract::State;
use serde_json::json;

use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::channels::{ChannelView, Record};
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Admin, Answer, Body, Context, Params};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static ADMIN_PAUSE_CHANNEL: Operation = Operation {
    id: "adminPauseChannel",
    method: "POST",
    path: "/v1/admin/channels/{identifier}/pause",
    tag: "Admin",
    summary: "Stop a channel from taking messages",
    about: "By id or alias. From the next request on, on every replica, posting answers 503 channel_paused; everything else works. The \
            owner finds it in its audit. The owner may resume its channel itself.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ChannelView>)),
    also: None,
    scripts: &[&scripts::CHANNEL_READ],
    refusals: &[],
};

pub static ADMIN_RESUME_CHANNEL: Operation = Operation {
    id: "adminResumeChannel",
    method: "POST",
    path: "/v1/admin/channels/{identifier}/resume",
    tag: "Admin",
    summary: "Let a paused channel take messages again",
    about: "By id or alias, whoever paused it.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ChannelView>)),
    also: None,
    scripts: &[&scripts::CHANNEL_READ],
    refusals: &[],
};

pub async fn pause(State(app): State<App>, _: Admin, context: Context, params: Params, _body: Body) -> Result<Answer> {
    set(&app, &context, params.text("identifier")?, true).await
}

pub async fn resume(State(app): State<App>, _: Admin, context: Context, params: Params, _body: Body) -> Result<Answer> {
    set(&app, &context, params.text("identifier")?, false).await
}

/// The channel is changed first, the audits follow: a crash in between leaves a change that is not audited, and an operator without an
/// answer, who asks again.
async fn set(app: &App, context: &Context, word: &str, paused: bool) -> Result<Answer> {
    let (channel, owner) = super::channel(app, word).await?;
    let slot = app.keys.channel(&channel.id);
    let reply = scripts::CHANNEL_UPDATE
        .on(&slot)
        .key("idem", "-")
        .arg("key", owner.as_str())
        .arg("for_members", "")
        .int("idem_ms", 0)
        .arg("body", "")
        .rest(["paused".to_owned(), if paused { "1" } else { "0" }.to_owned()])
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let kind = if paused { Kind::ChannelPause } else { Kind::ChannelResume };
    let detail = json!({ "channel_id": channel.id.as_str(), "channel_name": channel.text("name") });
    let event = Event::new(kind, Some(&owner), None, context.client(), &detail);
    audit::tell(app, Some(&owner), event).await;
    Answer::ok(&Record::read(&channel.id, &reply, 0)?.view("")?)
}
