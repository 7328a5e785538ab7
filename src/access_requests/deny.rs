//! `POST /v1/channels/{identifier}/access-requests/{request_id}/deny`

use axum::extract::State;

use super::{AnsweredRequest, settle};
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DENY_CHANNEL_ACCESS_REQUEST: Operation = Operation {
    id: "denyChannelAccessRequest",
    method: "POST",
    path: "/v1/channels/{identifier}/access-requests/{request_id}/deny",
    tag: "Access requests",
    summary: "Do not let in who asked",
    about: "Owner only. The requester is not told; it may ask again.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<AnsweredRequest>)),
    also: None,
    scripts: &[&scripts::ACCESS_REQUEST_DENY],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let (_, _, answer) = settle(&app, &caller, &params, &body, "denied", &scripts::ACCESS_REQUEST_DENY, |call| call).await?;
    Ok(answer)
}
