//! `DELETE /v1/actors/{identifier}/webhook`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::resolve;
use crate::app::{App, tell_of_changed_names};
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DELETE_ACTOR_WEBHOOK: Operation = Operation {
    id: "deleteActorWebhook",
    method: "DELETE",
    path: "/v1/actors/{identifier}/webhook",
    tag: "Actors",
    summary: "Delete an actor's webhook",
    about: "Owner only. Nothing is pushed for the actor any more; it is still mentioned.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<DeletedWebhook>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_DELETE],
    refusals: &[],
};

/// A webhook that is no more.
#[derive(Serialize, ToSchema)]
pub struct DeletedWebhook {
    /// Always true.
    deleted: bool,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &once).await?;
    let slot = app.keys.actor(&id);
    let reply = scripts::ACTOR_HOOK_DELETE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", id.as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    tell_of_changed_names(&app).await;
    Ok(Answer::ok(&DeletedWebhook { deleted: true })?.once(&once, reply.status() == "replayed"))
}
