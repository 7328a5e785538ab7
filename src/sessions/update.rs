//! `PATCH /v1/sessions/{session_id}`

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Record, SessionView, check_state, id, metadata, name, read};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::ids::SessionId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::{Reply, scripts};

pub static PATCH_SESSION: Operation = Operation {
    id: "patchSession",
    method: "PATCH",
    path: "/v1/sessions/{session_id}",
    tag: "Sessions",
    summary: "Change a session",
    about: "The fields of state are merged into the session's state: each replaces the field of its name, whole, and null is a value. \
            Without state, all fields of the body but name and metadata are. name and metadata replace what was there. Changes that \
            come at the same time are all kept.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<PatchSession>),
    success: (200, Some(schema::of::<SessionView>)),
    also: None,
    scripts: &[&scripts::SESSION_UPDATE],
    refusals: &[Code::InvalidString, Code::InvalidObject, Code::MetadataTooLarge, Code::StateTooLarge, Code::SessionConflict],
};

/// How often a change is tried again when others are faster.
const TRIES: u64 = 40;

/// What to send. Further fields are taken for state, if there is no state.
#[derive(ToSchema)]
pub struct PatchSession {
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// Fields to merge; the whole state has at most 64 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub state: Option<String>,
    /// At most 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

/// The top-level fields of an object, each in the words it was sent in.
type Object = BTreeMap<String, Box<RawValue>>;

/// A change, checked.
struct Change {
    name: Option<String>,
    metadata: Option<String>,
    state: Object,
}

impl Change {
    fn read(fields: &Fields) -> Result<Self> {
        let state = match fields.object("state")? {
            Some(text) => serde_json::from_str(&text).map_err(|e| ApiError::internal(format!("an object does not parse twice: {e}")))?,
            None if fields.has("state") => Object::new(),
            None => fields.rest(&["name", "metadata"])?,
        };
        Ok(Self { name: name(fields)?, metadata: metadata(fields)?, state })
    }

    /// The session with this change.
    fn onto(&self, mut record: Record) -> Result<Record> {
        if !self.state.is_empty() {
            let stored = if record.state.is_empty() { "{}" } else { &record.state };
            let mut merged: Object =
                serde_json::from_str(stored).map_err(|e| ApiError::internal(format!("a session's state is no object: {e}")))?;
            merged.extend(self.state.clone());
            record.state = serde_json::to_string(&merged).map_err(|e| ApiError::internal(e.to_string()))?;
            check_state(&record.state)?;
        }
        if let Some(name) = &self.name {
            record.name.clone_from(name);
        }
        if let Some(metadata) = &self.metadata {
            record.metadata.clone_from(metadata);
        }
        Ok(record)
    }
}

/// Users' JSON is merged here, not in the script: the script only checks that nobody was faster.
pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = id(&params)?;
    let change = Change::read(&body.fields)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let mut record = read::record(&app, &caller, &id).await?;
    for tries in 0..TRIES {
        let reply = write(&app, &caller, &id, &change.onto(record)?, &once).await?;
        record = Record::parse(&reply.text(0)?)?;
        if reply.status() != "changed" {
            return Ok(Answer::ok(&record.view(&id)?)?.once(&once, reply.status() == "replayed"));
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..=tries))).await;
    }
    Err(ApiError::new(Code::SessionConflict))
}

async fn write(app: &App, caller: &Caller, id: &SessionId, record: &Record, once: &Once) -> Result<Reply> {
    let slot = app.keys.key(&caller.key);
    scripts::SESSION_UPDATE
        .on(&slot)
        .key("sessions", caller.key.as_str())
        .key("idem", &once.name)
        .arg("id", id.as_str())
        .int("rev", record.revision)
        .arg("name", &record.name)
        .arg("metadata", &record.metadata)
        .arg("state", &record.state)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true) // merging the same again is the same
        .run(&app.redis)
        .await
}
