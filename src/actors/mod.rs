//! Actors: the names that keys act under. A key has one of its own and may register more.

pub mod read;
pub mod register;

use std::time::Duration;

use moka::sync::Cache;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Caller, Once};
use crate::ids::{ActorId, KeyId, Micros};
use crate::names;
use crate::store::scripts;

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
    aliases: Vec<String>,
    created_at: String,
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
}

impl Record {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, '\u{1f}').map(str::to_owned);
        Some(Self {
            name: parts.next()?,
            owner: parts.next()?,
            owner_label: parts.next()?,
            created: Micros(parts.next()?.parse().ok()?),
            metadata: parts.next()?,
            description: parts.next()?,
        })
    }

    /// The key that registered it.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
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
            aliases: Vec::new(),
            created_at: self.created.rfc3339(),
            updated_at: self.created.rfc3339(),
        })
    }
}

/// Which actor a key's word stands for. An actor keeps its name and owner for life, so nothing here goes stale.
pub struct ActorCache(Cache<(KeyId, String), Actor>);

impl Default for ActorCache {
    fn default() -> Self {
        Self::new()
    }
}

impl ActorCache {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(10)).build())
    }
}

/// What to do with a plain name that the caller has no actor of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// `actor_not_found`: who posts must name an actor that is there.
    Refuse,
    /// Register it under the caller: workers begin with a name (protocol, chapter 6).
    Register,
}

/// The actor a caller means: an id of its own, or its own name. Nothing said: the key's own actor.
///
/// # Errors
/// `actor_not_found`; `actor_forbidden` for another key's actor; `invalid_actor_name`; `quota_exceeded`.
pub async fn resolve(app: &App, caller: &Caller, said: Option<&str>, unknown: Unknown) -> Result<Actor> {
    let own = &caller.admitted.actor;
    let Some(word) = said.filter(|w| !w.is_empty()) else { return Ok(own.clone()) };
    if word == own.name || word == own.id.as_str() {
        return Ok(own.clone());
    }
    let key = (caller.key.clone(), word.to_owned());
    if let Some(known) = app.actor_cache.0.get(&key) {
        return Ok(known);
    }
    // Boxed: most requests find their actor above, and should not carry room for the search.
    let actor = match ActorId::parse(word) {
        Some(id) => Box::pin(own_by_id(app, caller, id)).await?,
        None if word.starts_with("act_") => return Err(ApiError::new(Code::ActorNotFound).field("actor")),
        None => Box::pin(by_name(app, caller, word, unknown)).await?,
    };
    app.actor_cache.0.insert(key, actor.clone());
    Ok(actor)
}

async fn own_by_id(app: &App, caller: &Caller, id: ActorId) -> Result<Actor> {
    let record = read::record(app, &id).await.map_err(|e| if e.code() == Code::ActorNotFound { e.field("actor") } else { e })?;
    if record.owner != caller.key.as_str() {
        return Err(ApiError::new(Code::ActorForbidden).field("actor"));
    }
    Ok(Actor { id, name: record.name })
}

async fn by_name(app: &App, caller: &Caller, name: &str, unknown: Unknown) -> Result<Actor> {
    if !is_actor_name(name) {
        return Err(ApiError::new(Code::InvalidActorName).field("actor"));
    }
    let id = match own_id(app, caller, name).await {
        Err(e) if e.code() == Code::ActorNotFound && unknown == Unknown::Register => {
            register::register(app, caller, &register::New::named(name), &Once::none()).await?.0
        }
        found => found.map_err(|e| if e.code() == Code::ActorNotFound { e.field("actor") } else { e })?,
    };
    Ok(Actor { id, name: name.to_owned() })
}

fn is_actor_name(name: &str) -> bool {
    names::is_name(name, MAX_NAME) && !crate::ids::looks_like_an_id(name)
}

/// The id of the caller's actor of this name, if there is one.
///
/// # Errors
/// `actor_not_found`, or Redis trouble.
pub(crate) async fn own_id(app: &App, caller: &Caller, name: &str) -> Result<ActorId> {
    let slot = app.keys.key(&caller.key);
    let call = scripts::ACTOR_FIND.on(&slot).key("actors", caller.key.as_str()).arg("name", name);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    ActorId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("an actor name stands for no actor id"))
}
