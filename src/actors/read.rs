//! `GET /v1/actors/{identifier}`

use axum::extract::State;

use super::{ActorView, Record, resolve};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Caller, Once, Params};
use crate::ids::ActorId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static GET_ACTOR: Operation = Operation {
    id: "getActor",
    method: "GET",
    path: "/v1/actors/{identifier}",
    tag: "Actors",
    summary: "Get an actor",
    about: "By id, by name if it is one of yours, or by alias.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<ActorView>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_READ],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params) -> Result<Answer> {
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &Once::none()).await?;
    Answer::ok(&record(&app, &id).await?.view(&id)?)
}

pub(crate) async fn record(app: &App, id: &ActorId) -> Result<Record> {
    let slot = app.keys.actor(id);
    let reply = scripts::ACTOR_READ.on(&slot).arg("id", id.as_str()).may_send_again(true).run(&app.redis).await?;
    Record::parse(&reply.text(0)?, &reply.text(1)?)
        .ok_or_else(|| ApiError::internal(format!("the record of actor {} is broken", id.as_str())))
}
