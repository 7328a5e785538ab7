//! `GET /v1/channels/{identifier}/events`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::EventView;
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Params, Query};
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::scripts;

pub static LIST_CHANNEL_EVENTS: Operation = Operation {
    id: "listChannelEvents",
    method: "GET",
    path: "/v1/channels/{identifier}/events",
    tag: "Events",
    summary: "Read who came, who left, and what became of invitations",
    about: "Owner only. Oldest first, strictly after since. Go on with next_cursor: you see each event once. Events can be read for 24 hours, \
            the newest 1,000 of a channel.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[
        Param { name: "since", kind: "string", about: "next_cursor of your last page. Absent or 0: from the start." },
        Param { name: "cursor", kind: "string", about: "The same; it wins over since." },
        Param { name: "limit", kind: "integer", about: "1 to 100, default 50." },
    ],
    request: None,
    success: (200, Some(schema::of::<Events>)),
    also: None,
    scripts: &[&scripts::EVENT_LIST],
    refusals: &[Code::InvalidCursor, Code::InvalidLimit],
};

/// A page of events.
#[derive(Serialize, ToSchema)]
pub struct Events {
    data: Vec<EventView>,
    limit: u64,
    /// Where to go on: created_at of the last one; of an empty page what was sent.
    next_cursor: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let name = if query.text("cursor").is_some() { "cursor" } else { "since" };
    let (cursor, limit) = (query.time(name, Code::InvalidCursor)?.unwrap_or_default(), query.limit()?);
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let slot = app.keys.channel(&channel);
    let call = scripts::EVENT_LIST.on(&slot).arg("key", caller.key.as_str()).int("cursor", cursor.0).int("limit", limit);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    let read = reply.list(0)?.iter().map(|entry| EventView::read(&channel, entry)).collect::<Option<Vec<_>>>();
    let data = read.ok_or_else(|| ApiError::internal("an event is broken"))?;
    let next_cursor = data.last().map(|event| event.created_at.clone()).or_else(|| query.as_sent(name).map(str::to_owned));
    Answer::ok(&Events { data, limit, next_cursor })
}
