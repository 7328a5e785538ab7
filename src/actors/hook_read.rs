//! `GET /v1/actors/{identifier}/webhook`

use axum::extract::State;

use super::hook_set::ActorWebhookView;
use super::resolve;
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks::ActorHook;

pub static GET_ACTOR_WEBHOOK: Operation = Operation {
    id: "getActorWebhook",
    method: "GET",
    path: "/v1/actors/{identifier}/webhook",
    tag: "Actors",
    summary: "Get an actor's webhook",
    about: "Owner only. Says whether there is a secret, never which one.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ActorWebhookView>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_READ],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &Once::none()).await?;
    let slot = app.keys.actor(&id);
    let call = scripts::ACTOR_HOOK_READ.on(&slot).arg("key", caller.key.as_str()).arg("id", id.as_str());
    let reply = call.may_send_again(true).run(&app.redis).await?;
    let hook = ActorHook::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("a webhook of an actor is broken"))?;
    Answer::ok(&ActorWebhookView::new(&id, hook.url, !hook.secret.is_empty(), hook.updated))
}
