//! `GET /v1/channels/{identifier}/history`

use axum::extract::State;

use super::{MessagePage, fit, pairs};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Caller, Params, Query};
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::scripts;

pub static LIST_CHANNEL_HISTORY: Operation = Operation {
    id: "listChannelHistory",
    method: "GET",
    path: "/v1/channels/{identifier}/history",
    tag: "Messages",
    summary: "Read a channel's expired messages",
    about: "Newest first, from the moment they expire until retention_days later.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page, for older messages." },
        Param { name: "limit", kind: "integer", about: "1 to 100, default 50." },
    ],
    request: None,
    success: (200, Some(schema::of::<MessagePage>)),
    also: None,
    scripts: &[&scripts::MESSAGE_HISTORY],
    refusals: &[Code::InvalidCursor, Code::InvalidLimit],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let cursor = query.time("cursor", Code::InvalidCursor)?.unwrap_or_default();
    let limit = query.limit()?;
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::MESSAGE_HISTORY
        .on(&slot)
        .arg("key", caller.key.as_str())
        .int("cursor", cursor.0)
        .int("limit", limit)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let (ttl, now) = (reply.uint(0)?, reply.now());
    let found = pairs(&reply, 1)?;
    let count = found.len();
    let data =
        found.into_iter().map(|(m, record)| m.view(&channel, record, ttl, now).map(super::MessageView::archived)).collect::<Result<_>>()?;
    let data = fit(data)?;
    let more = reply.int(3)? == 1 || data.len() < count;
    let next_cursor = if more { data.last().map(|m| m.created_at.clone()) } else { None };
    Answer::ok(&MessagePage { data, limit, next_cursor, gap: false })
}
