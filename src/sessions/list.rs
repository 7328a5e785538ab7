//! `GET /v1/sessions`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Record, SessionView};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Query};
use crate::ids::SessionId;
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::reply::text_of;
use crate::store::scripts;

pub static LIST_SESSIONS: Operation = Operation {
    id: "listSessions",
    method: "GET",
    path: "/v1/sessions",
    tag: "Sessions",
    summary: "List the sessions of the calling key",
    about: "Newest first. Go on with next_cursor; null: this was the last page. A page is at most about 1 MiB and may then be shorter than \
            limit.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[
        Param { name: "limit", kind: "integer", about: "1 to 100, default 50." },
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page. Absent or 0: from the newest." },
    ],
    request: None,
    success: (200, Some(schema::of::<SessionPage>)),
    also: None,
    scripts: &[&scripts::SESSION_LIST],
    refusals: &[Code::InvalidLimit, Code::InvalidCursor],
};

/// A page of sessions, newest first.
#[derive(Serialize, ToSchema)]
pub struct SessionPage {
    data: Vec<SessionView>,
    limit: u64,
    next_cursor: Option<String>,
}

pub async fn handle(State(app): State<App>, caller: Caller, query: Query) -> Result<Answer> {
    let limit = query.limit()?;
    let before = query.time("cursor", Code::InvalidCursor)?.unwrap_or_default();
    let slot = app.keys.key(&caller.key);
    let reply = scripts::SESSION_LIST
        .on(&slot)
        .key("sessions", caller.key.as_str())
        .key("session_index", caller.key.as_str())
        .int("before", before.0)
        .int("limit", limit)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let broken = || ApiError::internal("a list of sessions is broken");
    let mut data = Vec::new();
    let mut last = None;
    for (id, record) in reply.list(0)?.iter().zip(reply.list(1)?) {
        let id = text_of(id).and_then(|id| SessionId::parse(&id)).ok_or_else(broken)?;
        let record = Record::parse(&text_of(record).ok_or_else(broken)?)?;
        last = Some(record.created);
        data.push(record.view(&id)?);
    }
    let more = reply.int(2)? == 1;
    Answer::ok(&SessionPage { data, limit, next_cursor: last.filter(|_| more).map(|at| at.rfc3339()) })
}
