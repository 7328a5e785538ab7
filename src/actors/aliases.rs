//! `POST /v1/actors/{identifier}/aliases`

use axum::extract::State;
use utoipa::ToSchema;

use super::{ActorView, read, resolve};
use crate::app::{App, tell_of_changed_names};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{ActorId, looks_like_an_id};
use crate::names;
use crate::operation::{Auth, Operation, Scope};
use crate::store::{Reply, scripts};

/// Longest alias, in characters.
const MAX_ALIAS: usize = 200;
/// Most aliases of one actor.
const MAX_ALIASES: u64 = 20;
/// Most aliases of all actors of a key: they are freed when it is revoked.
const MAX_ALIASES_OF_KEY: u64 = 1000;

pub static CREATE_ACTOR_ALIAS: Operation = Operation {
    id: "createActorAlias",
    method: "POST",
    path: "/v1/actors/{identifier}/aliases",
    tag: "Actors",
    summary: "Give an actor a global alias",
    about: "Owner only. Aliases of actors are unique on the whole instance; anyone may mention the actor by one, its owner may act under it. \
            The names of your own actors win over aliases.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<CreateActorAlias>),
    success: (201, Some(schema::of::<ActorView>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_ALIAS_ADD, &scripts::ACTOR_READ],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidAlias, Code::AliasConflict],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateActorAlias {
    /// 1 to 200 characters; must not look like an id.
    #[schema(example = "researcher", max_length = 200)]
    pub alias: String,
}

/// Whether a word may be an alias of an actor.
pub(super) fn is_alias(word: &str) -> bool {
    names::is_name(word, MAX_ALIAS) && !looks_like_an_id(word)
}

/// The alias is bound first and listed second: a crash in between leaves an alias that works and is not listed; asking again lists it.
pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &once).await?;
    let alias = body.fields.required_text("alias")?;
    if !is_alias(&alias) {
        return Err(ApiError::new(Code::InvalidAlias).field("alias"));
    }
    // First only whether the caller may, or did already.
    let mut added = add(&app, &caller, &id, "", &once).await?;
    if added.status() != "replayed" {
        let new = take(&app, &id, &alias).await?;
        added = match add(&app, &caller, &id, &alias, &once).await {
            Err(e) if new && e.code().spec().status < 500 => {
                free(&app, &alias, &id).await?; // the right to it was lost in between
                return Err(e);
            }
            done => done?,
        };
    }
    let view = read::record(&app, &id).await?.view(&id)?;
    Ok(Answer::created(&view)?.once(&once, added.status() == "replayed"))
}

/// Frees an alias, if it still stands for this actor; whether it did.
///
/// # Errors
/// Redis trouble.
pub(super) async fn free(app: &App, alias: &str, id: &ActorId) -> Result<bool> {
    let slot = app.keys.actor_alias(alias);
    let reply = scripts::ALIAS_DROP.on(&slot).arg("id", id.as_str()).may_send_again(true).run(&app.redis).await?;
    Ok(reply.int(0)? == 1)
}

/// Frees the aliases of actors that are gone, in the background: values of a reply from `first` on, in turn an actor's id and its aliases, each
/// ended by \31. What is not freed leads nowhere, and who wants it next takes it over.
///
/// # Errors
/// When the reply is none of that kind.
pub(crate) fn free_all_later(app: &App, reply: &Reply, first: usize) -> Result<()> {
    let mut gone = Vec::new();
    for i in (first..reply.len()).step_by(2) {
        let id = ActorId::parse(&reply.text(i)?).ok_or_else(|| ApiError::internal("an actor has no actor id"))?;
        gone.extend(reply.text(i + 1)?.split('\u{1f}').filter(|a| !a.is_empty()).map(|alias| (id.clone(), alias.to_owned())));
    }
    if gone.is_empty() {
        return Ok(());
    }
    let task_app = app.clone();
    app.background.spawn(async move {
        for (id, alias) in gone {
            if let Err(failure) = free(&task_app, &alias, &id).await {
                tracing::warn!(?failure, "an alias of an actor that is gone leads nowhere until somebody wants it");
            }
        }
        tell_of_changed_names(&task_app).await;
    });
    Ok(())
}

/// The actor that a global alias stands for, whether or not it is still there.
///
/// # Errors
/// Redis trouble.
pub(super) async fn target(app: &App, alias: &str) -> Result<Option<ActorId>> {
    let slot = app.keys.actor_alias(alias);
    let reply = scripts::ALIAS_READ.on(&slot).may_send_again(true).run(&app.redis).await?;
    Ok(ActorId::parse(&reply.text(0)?))
}

/// Whether the alias was free before.
async fn take(app: &App, id: &ActorId, alias: &str) -> Result<bool> {
    let slot = app.keys.actor_alias(alias);
    let mut instead_of = String::new();
    for _ in 0..2 {
        let call = scripts::ALIAS_TAKE.on(&slot).arg("id", id.as_str()).arg("instead_of", &instead_of);
        let reply = call.may_send_again(true).run(&app.redis).await?;
        match reply.status() {
            "taken" => return Ok(true),
            "mine" => return Ok(false),
            _ => {}
        }
        match ActorId::parse(&reply.text(0)?) {
            // Its key may have been revoked by a replica that died before it freed the alias.
            Some(other) if !exists(app, &other).await? => instead_of = other.as_str().to_owned(),
            _ => break,
        }
    }
    Err(ApiError::new(Code::AliasConflict).field("alias"))
}

async fn exists(app: &App, id: &ActorId) -> Result<bool> {
    match read::record(app, id).await {
        Ok(_) => Ok(true),
        Err(e) if e.code() == Code::ActorNotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Lists an alias of an actor; an empty one: only whether the caller may, or did already.
///
/// # Errors
/// `actor_not_found`, `actor_forbidden`, `quota_exceeded`, or Redis trouble.
pub(super) async fn add(app: &App, caller: &Caller, id: &ActorId, alias: &str, once: &Once) -> Result<Reply> {
    let slot = app.keys.actor(id);
    scripts::ACTOR_ALIAS_ADD
        .on(&slot)
        .key("record", caller.key.as_str())
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", id.as_str())
        .arg("alias", alias)
        .int("cap", MAX_ALIASES)
        .int("cap_of_key", MAX_ALIASES_OF_KEY)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true)
        .run(&app.redis)
        .await
}
