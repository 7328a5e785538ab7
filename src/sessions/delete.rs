//! `DELETE /v1/sessions/{session_id}`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::id;
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DELETE_SESSION: Operation = Operation {
    id: "deleteSession",
    method: "DELETE",
    path: "/v1/sessions/{session_id}",
    tag: "Sessions",
    summary: "Delete a session",
    about: "It is gone at once. Sessions end by themselves after 24 hours.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<DeletedSession>)),
    also: None,
    scripts: &[&scripts::SESSION_DELETE],
    refusals: &[],
};

/// A session that has ended.
#[derive(Serialize, ToSchema)]
pub struct DeletedSession {
    /// Always `deleted`.
    status: &'static str,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = id(&params)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let slot = app.keys.key(&caller.key);
    let reply = scripts::SESSION_DELETE
        .on(&slot)
        .key("sessions", caller.key.as_str())
        .key("session_index", caller.key.as_str())
        .key("idem", &once.name)
        .arg("id", id.as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    Ok(Answer::ok(&DeletedSession { status: "deleted" })?.once(&once, reply.status() == "replayed"))
}
