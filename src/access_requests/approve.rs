//! `POST /v1/channels/{identifier}/access-requests/{request_id}/approve`

use axum::extract::State;

use super::{AnsweredRequest, settle};
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Params};
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
    let cap = app.settings.max_members_per_channel;
    let script = &scripts::ACCESS_REQUEST_APPROVE;
    let (channel, reply, answer) = settle(&app, &caller, &params, &body, "approved", script, |call| call.int("cap", cap)).await?;
    if reply.int(0)? == 1 {
        webhooks::hand_over_later(&app, &channel);
    }
    Ok(answer)
}
