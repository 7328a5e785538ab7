//! `POST /v1/channels/{identifier}/webhook/dead-letters/redrive`, and the same of an actor

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::dead_letters::{First, Letter, letters};
use super::{Target, Webhook, actor, channel, once_of, queue_of};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

/// Dead letters of one call.
const AT_ONCE: u64 = 100;

pub static REDRIVE_CHANNEL_WEBHOOK_DEAD_LETTERS: Operation = Operation {
    id: "redriveChannelWebhookDeadLetters",
    method: "POST",
    path: "/v1/channels/{identifier}/webhook/dead-letters/redrive",
    tag: "Webhooks",
    summary: "Deliver what was given up to a channel's webhook again",
    about: "Owner only. The oldest 100 dead letters, or as many as the queue takes, leave their list and are tried as if they were new, each with the \
            webhook-id it had. Call again while `left` is above 0.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (202, Some(schema::of::<Redriven>)),
    also: None,
    scripts: &[&scripts::WEBHOOK_OWNER, &scripts::HOOK_DEAD, &scripts::JOB_REDRIVE],
    refusals: &[],
};

pub static REDRIVE_ACTOR_WEBHOOK_DEAD_LETTERS: Operation = Operation {
    id: "redriveActorWebhookDeadLetters",
    path: "/v1/actors/{identifier}/webhook/dead-letters/redrive",
    summary: "Deliver what was given up to an actor's webhook again",
    auth: Auth::Key(Some(Scope::MessagesRead)),
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_READ, &scripts::HOOK_DEAD, &scripts::JOB_REDRIVE],
    refusals: &[Code::ActorForbidden],
    ..REDRIVE_CHANNEL_WEBHOOK_DEAD_LETTERS
};

/// Dead letters that are on their way.
#[derive(Serialize, ToSchema)]
pub struct Redriven {
    /// How many are to be tried again.
    #[schema(example = 100)]
    queued: u64,
    /// How many dead letters there are besides.
    #[schema(example = 17)]
    left: u64,
}

pub async fn of_channel(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = channel(&app, &caller, &params, Webhook::Needed, &once).await?;
    redrive(&app, &target, &once).await
}

pub async fn of_actor(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = once_of(&app, &caller, &body);
    let target = actor(&app, &caller, &params, Webhook::Needed, &once).await?;
    redrive(&app, &target, &once).await
}

/// Into the queue first, off the list second: a crash in between leaves letters that are on their way. The queue knows those it was given,
/// so that several who ask at the same time have each letter delivered once.
async fn redrive(app: &App, target: &Target, once: &Once) -> Result<Answer> {
    let (found, all, now) = letters(app, target, First::Oldest, AT_ONCE).await?;
    let mut jobs = Vec::with_capacity(found.len() * 2);
    let mut kept = Vec::with_capacity(found.len());
    for (facts, letter) in found {
        let Letter { at, job, .. } = letter;
        jobs.extend([format!("{}:{at}", job.delivery), job.clone().again(now).pack()]);
        kept.push([job.delivery, facts]);
    }
    let slot = app.keys.jobs(queue_of(target.as_str()));
    let reply = scripts::JOB_REDRIVE
        .on(&slot)
        .key("redriven", target.as_str())
        .key("idem", &once.name)
        .int("most", app.settings.webhook_queue_max)
        .int("all", all)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .rest(jobs)
        .may_send_again(true) // each letter is entered once
        .run(&app.redis)
        .await?;
    let (queued, left, replayed) = (reply.uint(0)?, reply.uint(1)?, reply.status() == "replayed");
    if !replayed && queued > 0 {
        let on_their_way = kept.into_iter().take(usize::try_from(queued).unwrap_or(usize::MAX)).flatten();
        let slot = app.keys.hook(target.as_str());
        scripts::HOOK_REDRIVEN.on(&slot).rest(on_their_way).may_send_again(true).run(&app.redis).await?;
    }
    Ok(Answer::json(http::StatusCode::ACCEPTED, &Redriven { queued, left })?.once(once, replayed))
}
