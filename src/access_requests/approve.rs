//! `POST /v1/channels/{identifier}/access-requests/{request_id}/approve`

use axum::extract::State;

use super::{AnsweredRequest, named};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks;

pub static APPROVE_CHANNEL_ACCESS_REQUEST: Operation = Operation {
    id: "approveChannelAccessRequest",
    method: "POST",
    path: "/v1/channels/{identifier}/access-requests/{request_id}/approve",
    tag: "Access requests",
    summary: "Let in who asked",
    about: "Owner only. The requester is a member from now on, on every replica; the channel's events tell of it as `member_added`.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<AnsweredRequest>)),
    also: None,
    scripts: &[&scripts::ACCESS_REQUEST_APPROVE],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let request = named(&params)?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::ACCESS_REQUEST_APPROVE
        .on(&slot)
        .key("resolved", request.as_str())
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", request.as_str())
        .arg("requester", request.requester().as_str())
        .int("cap", app.settings.max_members_per_channel)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    if reply.int(0)? == 1 {
        webhooks::hand_over_later(&app, &channel);
    }
    Ok(Answer::ok(&AnsweredRequest::new("approved", &request))?.once(&once, reply.status() == "replayed"))
}
