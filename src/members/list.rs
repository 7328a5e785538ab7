//! `GET /v1/channels/{identifier}/members`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::MemberView;
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Params, Query, fields::wrong};
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::scripts;

/// Members of a page, at most, and where nothing is said: as many as a channel has by default.
pub const MOST: u64 = 1000;

pub static LIST_CHANNEL_MEMBERS: Operation = Operation {
    id: "listChannelMembers",
    method: "GET",
    path: "/v1/channels/{identifier}/members",
    tag: "Members",
    summary: "List a channel's members",
    about: "Owner only. The creator is listed too, and first; the others as they were let in. Go on with next_cursor.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page. Absent or 0: from the start." },
        Param { name: "limit", kind: "integer", about: "1 to 1000, default 1000." },
    ],
    request: None,
    success: (200, Some(schema::of::<Members>)),
    also: None,
    scripts: &[&scripts::MEMBER_LIST],
    refusals: &[Code::InvalidCursor, Code::InvalidLimit],
};

/// A page of members, the longest standing first.
#[derive(Serialize, ToSchema)]
pub struct Members {
    data: Vec<MemberView>,
    limit: u64,
    /// Where to go on: granted_at of the last one; null where there are no more.
    next_cursor: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let (cursor, limit) = (query.time("cursor", Code::InvalidCursor)?.unwrap_or_default(), limit(&query)?);
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let slot = app.keys.channel(&channel);
    let call = scripts::MEMBER_LIST.on(&slot).arg("key", caller.key.as_str()).int("cursor", cursor.0).int("limit", limit);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    let mut data = Vec::new();
    for (key, grant) in reply.pairs(0)? {
        let broken = || ApiError::internal("a member's record is broken");
        let (at, invitation) = grant.split_once(SEPARATOR).ok_or_else(broken)?;
        let at = at.parse::<u64>().map_err(|_| broken())?;
        data.push(MemberView::new(&channel, &key, Micros(at), invitation));
    }
    let next_cursor = data.last().filter(|_| data.len() as u64 == limit).map(|last| last.granted_at.clone());
    Answer::ok(&Members { data, limit, next_cursor })
}

fn limit(query: &Query) -> Result<u64> {
    match query.as_is("limit") {
        None => Ok(MOST),
        Some(text) => text.parse().ok().filter(|n| (1..=MOST).contains(n)).ok_or_else(|| {
            wrong(Code::InvalidLimit, "limit", &format!("must be an integer from 1 to {MOST}")).with("min", 1).with("max", MOST)
        }),
    }
}
