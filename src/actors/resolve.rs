//! What a caller calls an actor: an id, a name of its own, or a global alias, in this order; so nobody's alias captures the name of an actor of
//! another key.

use std::time::Duration;

use moka::sync::Cache;

use super::{Actor, aliases, is_actor_name, read, register};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Caller, Once};
use crate::ids::{ActorId, KeyId};
use crate::store::scripts;

/// What this replica knows of actors for a while.
pub struct ActorCache {
    /// Which actor a key's word stands for, an id or a name. An actor keeps its name and owner for life, so nothing here goes stale.
    own: Cache<(KeyId, String), Actor>,
    /// The same where the word is an alias, which may be deleted.
    aliased: Cache<(KeyId, String), Actor>,
    /// What ids and aliases stand for, whoever's it is.
    known: Cache<String, Known>,
}

impl Default for ActorCache {
    fn default() -> Self {
        Self::new()
    }
}

impl ActorCache {
    pub fn new() -> Self {
        let own = Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(10)).build();
        let aliased = Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(1)).build();
        let known = Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(1)).build();
        Self { own, aliased, known }
    }

    /// For when aliases were freed or webhooks set elsewhere, or such news may have been missed.
    pub fn forget_what_may_change(&self) {
        self.aliased.invalidate_all();
        self.known.invalidate_all();
    }
}

/// An actor as those see it who mention it.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: ActorId,
    pub name: String,
    /// The key that it belongs to.
    pub owner: String,
    pub has_webhook: bool,
}

/// What to do with a plain word that the caller has no actor of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// `actor_not_found`: who posts must name an actor that is there.
    Refuse,
    /// Register it under the caller: workers begin with a name (protocol, chapter 6).
    Register,
}

/// The actor a caller means: an id, name or alias of its own. Nothing said: the key's own actor.
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
    let known = app.actor_cache.own.get(&key).or_else(|| app.actor_cache.aliased.get(&key));
    if let Some(known) = app.metrics.caches.actors.counted(known) {
        return Ok(known);
    }
    // Boxed: most requests find their actor above, and should not carry room for the search.
    Box::pin(search(app, caller, key, unknown)).await.map_err(|e| match e.code() {
        Code::ActorNotFound | Code::ActorForbidden | Code::InvalidActorName => e.field("actor"),
        _ => e,
    })
}

async fn search(app: &App, caller: &Caller, key: (KeyId, String), unknown: Unknown) -> Result<Actor> {
    let word = key.1.as_str();
    if let Some(id) = ActorId::parse(word) {
        let name = read::record(app, &id).await?.name_for(caller.key.as_str())?;
        let actor = Actor { id, name };
        app.actor_cache.own.insert(key, actor.clone());
        return Ok(actor);
    }
    if word.starts_with("act_") {
        return Err(ApiError::new(Code::ActorNotFound));
    }
    if !aliases::is_alias(word) {
        return Err(ApiError::new(Code::InvalidActorName));
    }
    if let Some(actor) = own(app, caller, word).await? {
        app.actor_cache.own.insert(key, actor.clone());
        return Ok(actor);
    }
    if let Some(known) = by_alias(app, word).await? {
        if known.owner != caller.key.as_str() {
            return Err(ApiError::new(Code::ActorForbidden));
        }
        let actor = Actor { id: known.id, name: known.name };
        app.actor_cache.aliased.insert(key, actor.clone());
        return Ok(actor);
    }
    if unknown == Unknown::Refuse {
        return Err(ApiError::new(Code::ActorNotFound));
    }
    if !is_actor_name(word) {
        return Err(ApiError::new(Code::InvalidActorName));
    }
    let id = register::register(app, caller, &register::New::named(word), &Once::none()).await?.0;
    let actor = Actor { id, name: word.to_owned() };
    app.actor_cache.own.insert(key, actor.clone());
    Ok(actor)
}

/// The caller's actor of this name, if there is one.
async fn own(app: &App, caller: &Caller, name: &str) -> Result<Option<Actor>> {
    match find(app, caller, name, "", &Once::none()).await {
        Ok(id) => Ok(Some(Actor { id, name: name.to_owned() })),
        Err(e) if e.code() == Code::ActorNotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The actor that a path names: an id, whether or not there is such an actor; a name of the caller's; an alias. Retries of a write go to the
/// actor that its first try went to, whatever the word stands for by then.
///
/// # Errors
/// `actor_not_found`, or Redis trouble.
pub async fn identify(app: &App, caller: &Caller, word: &str, once: &Once) -> Result<ActorId> {
    let word = word.trim();
    if let Some(id) = ActorId::parse(word) {
        return Ok(id);
    }
    if !aliases::is_alias(word) {
        return Err(ApiError::new(Code::ActorNotFound)); // nothing can be called that
    }
    match find(app, caller, word, "", once).await {
        Err(e) if e.code() == Code::ActorNotFound => {}
        found => return found,
    }
    let id = aliases::target(app, word).await?.ok_or_else(|| ApiError::new(Code::ActorNotFound))?;
    if once.is_kept() { find(app, caller, word, id.as_str(), once).await } else { Ok(id) }
}

async fn find(app: &App, caller: &Caller, name: &str, found: &str, once: &Once) -> Result<ActorId> {
    let slot = app.keys.key(&caller.key);
    let reply = scripts::ACTOR_FIND
        .on(&slot)
        .key("actors", caller.key.as_str())
        .key("pin", &once.name)
        .arg("name", name)
        .arg("found", found)
        .int("pin_ms", once.ms)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    ActorId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("an actor name stands for no actor id"))
}

/// The actor that an id or a global alias stands for; what it says is at most a second old.
///
/// # Errors
/// Redis trouble.
pub async fn by_id_or_alias(app: &App, word: &str) -> Result<Option<Known>> {
    if let Some(known) = app.metrics.caches.actors.counted(app.actor_cache.known.get(word)) {
        return Ok(Some(known));
    }
    let found = match ActorId::parse(word) {
        Some(id) => by_id(app, id).await?,
        None if aliases::is_alias(word) => by_alias(app, word).await?,
        None => None,
    };
    // What is not there is asked for again: it may be there now.
    if let Some(known) = &found {
        app.actor_cache.known.insert(word.to_owned(), known.clone());
    }
    Ok(found)
}

async fn by_alias(app: &App, alias: &str) -> Result<Option<Known>> {
    match aliases::target(app, alias).await? {
        Some(id) => by_id(app, id).await,
        None => Ok(None),
    }
}

async fn by_id(app: &App, id: ActorId) -> Result<Option<Known>> {
    let slot = app.keys.actor(&id);
    match scripts::ACTOR_KNOWN.on(&slot).arg("id", id.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) => Ok(Some(Known { id, name: reply.text(0)?, owner: reply.text(1)?, has_webhook: reply.int(2)? == 1 })),
        Err(e) if e.code() == Code::ActorNotFound => Ok(None),
        Err(e) => Err(e),
    }
}
