//! `POST /v1/channels/{identifier}/webhook/test`, and the same of an actor

use axum::extract::State;

use super::{Job, Queued, Target, Webhook, actor, channel, once_of, put, queued};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static TEST_CHANNEL_WEBHOOK: Operation = Operation {
    id: "testChannelWebhook",
    method: "POST",
    path: "/v1/channels/{identifier}/webhook/test",
    tag: "Webhooks",
    summary: "Try out a channel's webhook",
    about: "Owner only. Pushes {\"event\": \"webhook.test\", \"channel_id\": …}, signed as everything else. See how it went in the list of deliveries.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (202, Some(schema::of::<Queued>)),
    also: None,
    scripts: &[&scripts::WEBHOOK_OWNER, &scripts::JOB_PUT],
    refusals: &[],
};

pub static TEST_ACTOR_WEBHOOK: Operation = Operation {
    id: "testActorWebhook",
    path: "/v1/actors/{identifier}/webhook/test",
    summary: "Try out an actor's webhook",
    about: "Owner only. Pushes {\"event\": \"webhook.test\", \"actor_id\": …}, signed as everything else. See how it went in the list of deliveries.",
    auth: Auth::Key(Some(Scope::MessagesRead)),
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_READ, &scripts::JOB_PUT],
    refusals: &[Code::ActorForbidden],
    ..TEST_CHANNEL_WEBHOOK
};

pub async fn of_channel(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = channel(&app, &caller, &params, Webhook::Needed, &once).await?;
    test(&app, target, &once).await
}

pub async fn of_actor(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = actor(&app, &caller, &params, Webhook::Needed, &once).await?;
    test(&app, target, &once).await
}

async fn test(app: &App, target: Target, once: &Once) -> Result<Answer> {
    let (id, replayed) = put(app, &Job::test(target, app.redis.clock().floor()), once).await?;
    queued(id, once, replayed)
}
