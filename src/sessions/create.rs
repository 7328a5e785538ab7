//! `POST /v1/sessions`

use axum::extract::State;
use utoipa::ToSchema;

use super::{Record, SessionView, check_state, metadata, name};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::ids::SessionId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static CREATE_SESSION: Operation = Operation {
    id: "createSession",
    method: "POST",
    path: "/v1/sessions",
    tag: "Sessions",
    summary: "Create a session",
    about: "A small notebook of your key for 24 hours: write into its state with PATCH, read it after a restart. Only your key sees it.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<CreateSession>),
    success: (201, Some(schema::of::<SessionView>)),
    also: None,
    scripts: &[&scripts::SESSION_CREATE],
    refusals: &[Code::InvalidString, Code::InvalidObject, Code::MetadataTooLarge, Code::StateTooLarge],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateSession {
    #[schema(example = "deploy-flow", default = "", max_length = 200)]
    pub name: Option<String>,
    /// Anything of yours, at most 64 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub state: Option<String>,
    /// Anything of yours, at most 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

impl CreateSession {
    fn read(fields: &Fields) -> Result<Self> {
        let state = fields.object("state")?;
        check_state(state.as_deref().unwrap_or_default())?;
        Ok(Self { name: name(fields)?, state, metadata: metadata(fields)? })
    }
}

/// A replay is rebuilt from the first answer's facts and the request, which must be the same.
pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let ask = CreateSession::read(&body.fields)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let (name, metadata, state) = (ask.name.unwrap_or_default(), ask.metadata.unwrap_or_default(), ask.state.unwrap_or_default());
    let new = SessionId::generate();
    let slot = app.keys.key(&caller.key);
    let reply = scripts::SESSION_CREATE
        .on(&slot)
        .key("sessions", caller.key.as_str())
        .key("session_index", caller.key.as_str())
        .key("idem", &once.name)
        .arg("id", new.as_str())
        .arg("name", &name)
        .arg("metadata", &metadata)
        .arg("state", &state)
        .int("cap", app.settings.max_sessions_per_key)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    let replayed = reply.status() == "replayed";
    let broken = || ApiError::internal("a session's record of a first answer is broken");
    let id = if replayed { SessionId::parse(&reply.text(1)?).ok_or_else(broken)? } else { new };
    let created = reply.micros(0)?;
    let record = Record { created, updated: created, revision: 1, name, metadata, state };
    Ok(Answer::created(&record.view(&id)?)?.once(&once, replayed))
}
