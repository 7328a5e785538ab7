//! What owners see of their webhooks: how each try ended, what was given up; and what they can do about it. The same for the webhook of a
//! channel and of an actor, so each operation is here twice: once a path.

pub mod dead_letters;
pub mod deliveries;
pub mod redrive;
pub mod replay;
pub mod test;

use serde::Serialize;
use utoipa::ToSchema;

use super::job::{Job, Target, queue_of};
use crate::actors::{self, resolve::identify};
use crate::app::App;
use crate::channels::resolve as channels;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::store::scripts;

/// Whether the webhook must be there: to look at what was, it need not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Webhook {
    Needed,
    MayBeGone,
}

/// The channel of the path, if the caller owns it.
async fn channel(app: &App, caller: &Caller, params: &Params, webhook: Webhook, once: &Once) -> Result<Target> {
    let id = channels::resolve_once(app, caller, params.text("identifier")?, once).await?;
    let slot = app.keys.channel(&id);
    let needed = if webhook == Webhook::Needed { "1" } else { "" };
    let call = scripts::WEBHOOK_OWNER.on(&slot).arg("key", caller.key.as_str()).arg("needed", needed);
    call.may_send_again(true).run(&app.redis).await?;
    Ok(Target::Channel(id))
}

/// The actor of the path, if it is the caller's.
async fn actor(app: &App, caller: &Caller, params: &Params, webhook: Webhook, once: &Once) -> Result<Target> {
    let id = identify(app, caller, params.text("identifier")?, once).await?;
    if webhook == Webhook::Needed {
        let slot = app.keys.actor(&id);
        let call = scripts::ACTOR_HOOK_READ.on(&slot).arg("key", caller.key.as_str()).arg("id", id.as_str());
        call.may_send_again(true).run(&app.redis).await?;
    } else {
        actors::read::record(app, &id).await?.name_for(caller.key.as_str())?;
    }
    Ok(Target::Actor(id))
}

/// A delivery that is on its way.
#[derive(Serialize, ToSchema)]
pub struct Queued {
    /// Also the `webhook-id` header of the request that the receiver gets.
    #[schema(example = "dlv_7h2kq5w3m4n6p2r5t3vx_1760000000123-0")]
    delivery_id: String,
    #[schema(example = "queued")]
    status: &'static str,
}

/// Puts a job into the queue of its target, once for each `Idempotency-Key`. The delivery's id, and whether it was put there before.
async fn put(app: &App, job: &Job, once: &Once) -> Result<(String, bool)> {
    let slot = app.keys.jobs(queue_of(job.target.as_str()));
    let packed = job.pack();
    let reply = scripts::JOB_PUT
        .on(&slot)
        .key("idem", &once.name)
        .int("most", app.settings.webhook_queue_max)
        .arg("job", &packed)
        .arg("id", &job.delivery)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.ms > 0)
        .run(&app.redis)
        .await?;
    Ok((reply.text(0)?, reply.status() == "replayed"))
}

fn queued(delivery_id: String, once: &Once, replayed: bool) -> Result<Answer> {
    Ok(Answer::json(http::StatusCode::ACCEPTED, &Queued { delivery_id, status: "queued" })?.once(once, replayed))
}

fn once_of(app: &App, caller: &Caller, body: &Body) -> Once {
    Once::of(caller, body, app.settings.auto_idempotency_s)
}

/// What a list shows of a job.
#[derive(Serialize, ToSchema)]
struct About {
    /// The same for every try and replay; the `webhook-id` header of the request.
    #[schema(example = "dlv_7h2kq5w3m4n6p2r5t3vx_1760000000123-0")]
    delivery_id: String,
    /// `message.created`, `member_added`, `mention` or `webhook.test`.
    #[schema(example = "message.created")]
    event: &'static str,
    channel_id: Option<String>,
    message_id: Option<String>,
}

impl About {
    fn of(job: &Job) -> Self {
        let message = job.channel.as_ref().zip(job.number).map(|(c, n)| crate::ids::MessageId::new(c.clone(), n).to_string());
        Self {
            delivery_id: job.delivery.clone(),
            event: job.event.word(),
            channel_id: job.channel.as_ref().map(|c| c.as_str().to_owned()),
            message_id: message,
        }
    }
}
