//! Sessions: a small notebook of a key, for 24 hours. Nobody else can read it.

pub mod create;
pub mod delete;
pub mod list;
pub mod read;
pub mod update;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Fields, Params};
use crate::ids::{Micros, SessionId};
use crate::messages::{MAX_METADATA_BYTES, SEPARATOR};
use crate::names;

/// Life of a session: as `LIFE_MS` in `lua/lib/session.lua`.
const LIFE_S: u64 = 86_400;
/// Longest name, in characters.
const MAX_NAME: usize = 200;
/// Longest state, in bytes of JSON.
const MAX_STATE_BYTES: usize = 65_536;

/// A session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    #[schema(example = "ses_7h2kq5w3m4n6p2r5t3vx")]
    id: String,
    #[schema(example = "deploy-flow")]
    name: String,
    /// What PATCH merges into.
    #[schema(value_type = Object)]
    state: Box<RawValue>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    created_at: String,
    updated_at: String,
    /// 24 hours after created_at, whatever happens in between.
    expires_at: String,
}

/// A session as the store keeps it. Metadata and state are JSON in the words they were sent in, or empty.
#[derive(Clone)]
struct Record {
    created: Micros,
    updated: Micros,
    revision: u64,
    name: String,
    metadata: String,
    state: String,
}

impl Record {
    fn parse(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.splitn(6, SEPARATOR);
            let mut number = || parts.next()?.parse::<u64>().ok();
            let (created, updated, revision) = (number()?, number()?, number()?);
            let [name, metadata, state] = [(); 3].map(|()| parts.next().map(str::to_owned));
            Some(Self { created: Micros(created), updated: Micros(updated), revision, name: name?, metadata: metadata?, state: state? })
        };
        read().ok_or_else(|| ApiError::internal("a session's record is broken"))
    }

    fn view(self, id: &SessionId) -> Result<SessionView> {
        let json = |text: String| {
            let text = if text.is_empty() { "{}".to_owned() } else { text };
            RawValue::from_string(text).map_err(|e| ApiError::internal(format!("a session holds what is not JSON: {e}")))
        };
        Ok(SessionView {
            id: id.as_str().to_owned(),
            name: self.name,
            state: json(self.state)?,
            metadata: json(self.metadata)?,
            created_at: self.created.rfc3339(),
            updated_at: self.updated.rfc3339(),
            expires_at: self.created.plus_seconds(LIFE_S).rfc3339(),
        })
    }
}

/// The session id in the path.
fn id(params: &Params) -> Result<SessionId> {
    SessionId::parse(params.text("session_id")?).ok_or_else(|| ApiError::new(Code::SessionNotFound))
}

/// `name`, if it was sent; it may be empty.
fn name(fields: &Fields) -> Result<Option<String>> {
    let name = fields.text("name")?;
    if name.as_ref().is_some_and(|n| n.chars().count() > MAX_NAME || !names::is_plain(n)) {
        return Err(wrong(
            Code::InvalidString,
            "name",
            &format!("has at most {MAX_NAME} characters, none of them control or invisible characters"),
        ));
    }
    Ok(name)
}

/// `metadata`, if it was sent; empty for an empty object.
fn metadata(fields: &Fields) -> Result<Option<String>> {
    let metadata = fields.object("metadata")?;
    if let Some(m) = metadata.as_ref().filter(|m| m.len() > MAX_METADATA_BYTES) {
        return Err(ApiError::new(Code::MetadataTooLarge)
            .field("metadata")
            .with("max_metadata_bytes", MAX_METADATA_BYTES)
            .with("received_bytes", m.len()));
    }
    Ok(metadata.or_else(|| fields.has("metadata").then(String::new)))
}

/// # Errors
/// `state_too_large`.
fn check_state(state: &str) -> Result<()> {
    if state.len() <= MAX_STATE_BYTES {
        return Ok(());
    }
    let error = ApiError::new(Code::StateTooLarge).field("state");
    Err(error.with("max_state_bytes", MAX_STATE_BYTES).with("state_bytes", state.len()))
}
