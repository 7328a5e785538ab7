//! `GET /v1/channels/{identifier}/access-requests`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Caller, Params};
use crate::ids::{ChannelId, Micros};
use crate::messages::SEPARATOR;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static LIST_CHANNEL_ACCESS_REQUESTS: Operation = Operation {
    id: "listChannelAccessRequests",
    method: "GET",
    path: "/v1/channels/{identifier}/access-requests",
    tag: "Access requests",
    summary: "List the access requests that wait for an answer",
    about: "Owner only. Approve or deny each: POST …/access-requests/{request_id}/approve or …/deny. The label is what the other side calls \
            itself; judge by the key id.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<AccessRequests>)),
    also: None,
    scripts: &[&scripts::ACCESS_REQUEST_LIST],
    refusals: &[],
};

/// All of them, the longest waiting first.
#[derive(Serialize, ToSchema)]
pub struct AccessRequests {
    data: Vec<AccessRequestView>,
}

/// One access request.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessRequest)]
pub struct AccessRequestView {
    request_id: String,
    channel_id: String,
    requester_key_id: String,
    /// What the key is called, for display.
    requester_label: String,
    /// In the requester's words; may be empty.
    reason: String,
    /// Always `pending`: others are not listed.
    status: &'static str,
    created_at: String,
}

impl AccessRequestView {
    /// None when the record is broken.
    fn read(channel: &ChannelId, key: &str, record: &str) -> Option<(u64, Self)> {
        let mut parts = record.splitn(4, SEPARATOR);
        let (id, at, label, reason) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let view = Self {
            request_id: id.to_owned(),
            channel_id: channel.as_str().to_owned(),
            requester_key_id: key.to_owned(),
            requester_label: label.to_owned(),
            reason: reason.to_owned(),
            status: "pending",
            created_at: Micros(at).rfc3339(),
        };
        Some((at, view))
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::ACCESS_REQUEST_LIST.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await?;
    let waiting = reply.pairs(0)?;
    let read = waiting.iter().map(|(key, record)| AccessRequestView::read(&channel, key, record)).collect::<Option<Vec<_>>>();
    let mut requests = read.ok_or_else(|| ApiError::internal("an access request's record is broken"))?;
    requests.sort_by_key(|(at, _)| *at);
    Answer::ok(&AccessRequests { data: requests.into_iter().map(|(_, view)| view).collect() })
}
