//! `GET /v1/channels/{identifier}/members`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::MemberView;
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Caller, Params};
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static LIST_CHANNEL_MEMBERS: Operation = Operation {
    id: "listChannelMembers",
    method: "GET",
    path: "/v1/channels/{identifier}/members",
    tag: "Members",
    summary: "List a channel's members",
    about: "Owner only. The creator is listed too.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<Members>)),
    also: None,
    scripts: &[&scripts::MEMBER_LIST],
    refusals: &[],
};

/// All members, the longest standing first.
#[derive(Serialize, ToSchema)]
pub struct Members {
    data: Vec<MemberView>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::MEMBER_LIST.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await?;
    let mut grants = Vec::new();
    for (key, grant) in reply.pairs(0)? {
        let broken = || ApiError::internal("a member's record is broken");
        let (at, invitation) = grant.split_once(SEPARATOR).ok_or_else(broken)?;
        grants.push((at.parse::<u64>().map_err(|_| broken())?, key, invitation.to_owned()));
    }
    grants.sort();
    let data = grants.iter().map(|(at, key, invitation)| MemberView::new(&channel, key, Micros(*at), invitation)).collect();
    Answer::ok(&Members { data })
}
