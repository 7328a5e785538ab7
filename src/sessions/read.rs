//! `GET /v1/sessions/{session_id}`

use axum::extract::State;

use super::{Record, SessionView, id};
use crate::app::App;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller, Params};
use crate::ids::SessionId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static GET_SESSION: Operation = Operation {
    id: "getSession",
    method: "GET",
    path: "/v1/sessions/{session_id}",
    tag: "Sessions",
    summary: "Get a session",
    about: "Sessions of other keys are not found.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<SessionView>)),
    also: None,
    scripts: &[&scripts::SESSION_READ],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let id = id(&params)?;
    Answer::ok(&record(&app, &caller, &id).await?.view(&id)?)
}

/// # Errors
/// `session_not_found`, or Redis trouble.
pub(super) async fn record(app: &App, caller: &Caller, id: &SessionId) -> Result<Record> {
    let slot = app.keys.key(&caller.key);
    let call = scripts::SESSION_READ.on(&slot).key("sessions", caller.key.as_str()).arg("id", id.as_str());
    Record::parse(&call.may_send_again(true).run(&app.redis).await?.text(0)?)
}
