//! `GET /v1/admin/audit`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AuditEvent, events, keep_ms, limit};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Admin, Answer, Query};
use crate::operation::{Auth, Operation, Param};
use crate::store::scripts;

pub static ADMIN_AUDIT: Operation = Operation {
    id: "adminAudit",
    method: "GET",
    path: "/v1/admin/audit",
    tag: "Admin",
    summary: "List the security events of all keys",
    about: "Newest first. Go on with next_cursor; null: this was the last page. The newest 100,000 are kept, for as long as the instance \
            keeps events.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[
        Param { name: "limit", kind: "integer", about: "1 to 500, default 100." },
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page. Absent or 0: from the newest." },
    ],
    request: None,
    success: (200, Some(schema::of::<AuditPage>)),
    also: None,
    scripts: &[&scripts::AUDIT_LIST_ALL],
    refusals: &[Code::InvalidLimit, Code::InvalidCursor],
};

/// A page of events, newest first.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    data: Vec<AuditEvent>,
    /// How many are shown.
    count: usize,
    next_cursor: Option<String>,
}

pub async fn handle(State(app): State<App>, _: Admin, query: Query) -> Result<Answer> {
    let limit = limit(&query)?;
    let before = query.time("cursor", Code::InvalidCursor)?.unwrap_or_default();
    let slot = app.keys.mint();
    let call = scripts::AUDIT_LIST_ALL.on(&slot).int("before", before.0).int("limit", limit).int("keep_ms", keep_ms(&app));
    let data = events(&call.may_send_again(true).run(&app.redis).await?)?;
    let full = u64::try_from(data.len()).is_ok_and(|count| count == limit);
    let next_cursor = data.last().filter(|_| full).map(|event| event.created_at.clone());
    Answer::ok(&AuditPage { count: data.len(), data, next_cursor })
}
