//! Actors: the names that keys act under. A key has one of its own and may register more.

pub mod alias_remove;
pub mod aliases;
pub mod hook_delete;
pub mod hook_read;
pub mod hook_set;
pub mod read;
pub mod register;
pub mod resolve;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::error::{ApiError, Code, Result};
use crate::ids::{ActorId, Micros};
use crate::names;

pub use resolve::{ActorCache, Unknown, resolve};

/// Longest actor name, in characters.
const MAX_NAME: usize = 128;

/// Who acts: an id, and the name that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub id: ActorId,
    pub name: String,
}

/// An actor as messages show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActorRef {
    pub id: String,
    pub name: String,
}

/// A registered actor.
#[derive(Serialize, ToSchema)]
pub struct ActorView {
    id: String,
    name: String,
    description: String,
    /// The owner's label, for display.
    owner_id: String,
    created_by_key_id: String,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Words that anybody may use for it on the whole instance.
    aliases: Vec<String>,
    created_at: String,
    /// When an alias of it was added or deleted last.
    updated_at: String,
}

/// An actor's record as the store keeps it.
pub(crate) struct Record {
    name: String,
    owner: String,
    owner_label: String,
    created: Micros,
    metadata: String,
    description: String,
    /// When its aliases changed last; zero: never.
    updated: Micros,
    aliases: Vec<String>,
}

impl Record {
    /// `nicknames`: when the aliases changed last and they, each ended by \31; or empty.
    pub(crate) fn parse(text: &str, nicknames: &str) -> Option<Self> {
        let mut words = nicknames.split('\u{1f}').filter(|w| !w.is_empty()).map(str::to_owned);
        let updated = words.next().map_or(Some(0), |t| t.parse().ok())?;
        let mut parts = text.splitn(6, '\u{1f}').map(str::to_owned);
        Some(Self {
            name: parts.next()?,
            owner: parts.next()?,
            owner_label: parts.next()?,
            created: Micros(parts.next()?.parse().ok()?),
            metadata: parts.next()?,
            description: parts.next()?,
            updated: Micros(updated),
            aliases: words.collect(),
        })
    }

    /// The key that registered it.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name, if it is an actor of this key.
    ///
    /// # Errors
    /// `actor_forbidden`.
    pub(crate) fn name_for(self, key: &str) -> Result<String> {
        if self.owner == key { Ok(self.name) } else { Err(ApiError::new(Code::ActorForbidden)) }
    }

    pub(crate) fn view(self, id: &ActorId) -> Result<ActorView> {
        let metadata = if self.metadata.is_empty() { "{}".to_owned() } else { self.metadata };
        Ok(ActorView {
            id: id.as_str().to_owned(),
            name: self.name,
            description: self.description,
            owner_id: self.owner_label,
            created_by_key_id: self.owner,
            metadata: RawValue::from_string(metadata).map_err(|e| ApiError::internal(format!("an actor's metadata is not JSON: {e}")))?,
            aliases: self.aliases,
            created_at: self.created.rfc3339(),
            updated_at: self.created.max(self.updated).rfc3339(),
        })
    }
}

fn is_actor_name(name: &str) -> bool {
    names::is_name(name, MAX_NAME) && !crate::ids::looks_like_an_id(name)
}
