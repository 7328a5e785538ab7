//! `GET /v1/security/audit`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AuditEvent, events, keep_ms, limit};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Caller, Query};
use crate::operation::{Auth, Operation, Param};
use crate::store::scripts;

pub static SECURITY_AUDIT: Operation = Operation {
    id: "securityAudit",
    method: "GET",
    path: "/v1/security/audit",
    tag: "Security",
    summary: "List the security events of the calling key",
    about: "Newest first: how the key was issued, what the operator did to it and to its channels. Events of other keys are never shown. \
            The newest 1,000 are kept, for as long as the instance keeps events.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[Param { name: "limit", kind: "integer", about: "1 to 500, default 100." }],
    request: None,
    success: (200, Some(schema::of::<KeyAudit>)),
    also: None,
    scripts: &[&scripts::AUDIT_LIST],
    refusals: &[Code::InvalidLimit],
};

/// Events of the calling key, newest first.
#[derive(Serialize, ToSchema)]
pub struct KeyAudit {
    data: Vec<AuditEvent>,
    /// How many are shown.
    count: usize,
}

pub async fn handle(State(app): State<App>, caller: Caller, query: Query) -> Result<Answer> {
    let limit = limit(&query)?;
    let slot = app.keys.key(&caller.key);
    let call = scripts::AUDIT_LIST.on(&slot).key("audit", caller.key.as_str()).int("limit", limit).int("keep_ms", keep_ms(&app));
    let data = events(&call.may_send_again(true).run(&app.redis).await?)?;
    Answer::ok(&KeyAudit { count: data.len(), data })
}
