//! `POST /v1/channels/{identifier}/webhook/deliveries/{delivery_id}/replay`, and the same of an actor

use axum::extract::State;

use super::dead_letters::Letter;
use super::{Job, Queued, Target, Webhook, actor, channel, once_of, put, queued};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static REPLAY_CHANNEL_WEBHOOK_DELIVERY: Operation = Operation {
    id: "replayChannelWebhookDelivery",
    method: "POST",
    path: "/v1/channels/{identifier}/webhook/deliveries/{delivery_id}/replay",
    tag: "Webhooks",
    summary: "Deliver something to a channel's webhook again",
    about: "Owner only. One of the last 200 tries or a dead letter, which leaves that list. It goes to the webhook as it is now, with the same \
            webhook-id as before and with all tries; nothing is told of a message that is gone by now.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (202, Some(schema::of::<Queued>)),
    also: None,
    scripts: &[&scripts::WEBHOOK_OWNER, &scripts::HOOK_ONE, &scripts::JOB_PUT],
    refusals: &[],
};

pub static REPLAY_ACTOR_WEBHOOK_DELIVERY: Operation = Operation {
    id: "replayActorWebhookDelivery",
    path: "/v1/actors/{identifier}/webhook/deliveries/{delivery_id}/replay",
    summary: "Deliver something to an actor's webhook again",
    auth: Auth::Key(Some(Scope::MessagesRead)),
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_READ, &scripts::HOOK_ONE, &scripts::JOB_PUT],
    refusals: &[Code::ActorForbidden],
    ..REPLAY_CHANNEL_WEBHOOK_DELIVERY
};

pub async fn of_channel(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = channel(&app, &caller, &params, Webhook::Needed, &once).await?;
    replay(&app, &target, params.text("delivery_id")?, &once).await
}

pub async fn of_actor(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = actor(&app, &caller, &params, Webhook::Needed, &once).await?;
    replay(&app, &target, params.text("delivery_id")?, &once).await
}

/// Into the queue first, off the list of dead letters second: a crash in between leaves a letter that is on its way.
async fn replay(app: &App, target: &Target, delivery: &str, once: &Once) -> Result<Answer> {
    let slot = app.keys.hook(target.as_str());
    let reply = scripts::HOOK_ONE.on(&slot).arg("id", delivery).may_send_again(true).run(&app.redis).await?;
    let (text, was_dead) = (reply.text(0)?, reply.status() == "dead");
    let job = if was_dead { Letter::parse(&text).map(|letter| letter.job) } else { Job::parse(&text) };
    let job = job.ok_or_else(|| ApiError::internal("a delivery is broken"))?.again(reply.now());
    let (id, replayed) = put(app, &job, once).await?;
    if was_dead && !replayed {
        scripts::HOOK_REDRIVEN.on(&slot).rest([delivery.to_owned(), text]).may_send_again(true).run(&app.redis).await?;
    }
    queued(id, once, replayed)
}
