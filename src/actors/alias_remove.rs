//! `DELETE /v1/actors/{identifier}/aliases/{alias}`

use axum::extract::State;

use super::{aliases, resolve};
use crate::app::{App, tell_of_changed_names};
use crate::channels::alias_remove::RemovedAlias;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DELETE_ACTOR_ALIAS: Operation = Operation {
    id: "deleteActorAlias",
    method: "DELETE",
    path: "/v1/actors/{identifier}/aliases/{alias}",
    tag: "Actors",
    summary: "Take an alias off an actor",
    about: "Owner only. The alias is free again: anyone may give it to another actor. Id and name stay.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<RemovedAlias>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_ALIAS_REMOVE],
    refusals: &[],
};

/// The alias is freed first and taken off the list second: a crash in between leaves a listed alias that leads nowhere; asking again
/// takes it off.
pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &once).await?;
    let alias = params.text("alias")?.trim();
    // First only whether the caller may, or did already.
    let mut done = aliases::add(&app, &caller, &id, "", &once).await?;
    if done.status() != "replayed" {
        let freed = aliases::free(&app, alias, &id).await?;
        let slot = app.keys.actor(&id);
        done = scripts::ACTOR_ALIAS_REMOVE
            .on(&slot)
            .key("record", caller.key.as_str())
            .key("idem", &once.name)
            .arg("key", caller.key.as_str())
            .arg("id", id.as_str())
            .arg("alias", alias)
            .arg("freed", if freed { "1" } else { "" })
            .int("idem_ms", once.ms)
            .arg("body", &once.body)
            .may_send_again(once.is_kept())
            .run(&app.redis)
            .await?;
        tell_of_changed_names(&app).await;
    }
    Ok(Answer::ok(&RemovedAlias::REMOVED)?.once(&once, done.status() == "replayed"))
}
