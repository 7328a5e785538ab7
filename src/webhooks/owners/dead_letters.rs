//! `GET /v1/channels/{identifier}/webhook/dead-letters`, and the same of an actor

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{About, Job, Target, Webhook, actor, channel};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Once, Params, Query};
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::scripts;

pub static LIST_CHANNEL_WEBHOOK_DEAD_LETTERS: Operation = Operation {
    id: "listChannelWebhookDeadLetters",
    method: "GET",
    path: "/v1/channels/{identifier}/webhook/dead-letters",
    tag: "Webhooks",
    summary: "See which deliveries to a channel's webhook were given up",
    about: "Owner only. Newest first; the newest 1,000 are kept for 30 days. Once the receiver is well again, replay one by its delivery_id, or \
            redrive all: they leave this list.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[Param { name: "limit", kind: "integer", about: "1 to 100, default 50." }],
    request: None,
    success: (200, Some(schema::of::<DeadLetters>)),
    also: None,
    scripts: &[&scripts::WEBHOOK_OWNER, &scripts::HOOK_DEAD],
    refusals: &[Code::InvalidLimit],
};

pub static LIST_ACTOR_WEBHOOK_DEAD_LETTERS: Operation = Operation {
    id: "listActorWebhookDeadLetters",
    path: "/v1/actors/{identifier}/webhook/dead-letters",
    summary: "See which deliveries to an actor's webhook were given up",
    auth: Auth::Key(Some(Scope::MessagesRead)),
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_READ, &scripts::HOOK_DEAD],
    refusals: &[Code::ActorForbidden, Code::InvalidLimit],
    ..LIST_CHANNEL_WEBHOOK_DEAD_LETTERS
};

/// Deliveries that were given up.
#[derive(Serialize, ToSchema)]
pub struct DeadLetters {
    data: Vec<LetterView>,
    limit: u64,
}

/// A delivery that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeadLetter)]
struct LetterView {
    #[serde(flatten)]
    about: About,
    /// How often it was tried.
    attempts: u64,
    /// Status of the last answer; null: there was none.
    status: Option<u64>,
    /// What went wrong the last time.
    error: String,
    dead_at: String,
}

/// What is kept of a dead letter: when, tries, status, error, and the job.
pub(super) struct Letter {
    pub at: Micros,
    attempts: u64,
    status: u64,
    error: String,
    pub job: Job,
}

impl Letter {
    /// None when it is broken.
    pub fn parse(facts: &str) -> Option<Self> {
        let mut parts = facts.splitn(5, SEPARATOR);
        let (at, attempts) = (Micros(parts.next()?.parse().ok()?), parts.next()?.parse().ok()?);
        let (status, error) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
        Some(Self { at, attempts, status, error, job: Job::parse(parts.next()?)? })
    }
}

impl From<Letter> for LetterView {
    fn from(letter: Letter) -> Self {
        Self {
            about: About::of(&letter.job),
            attempts: letter.attempts,
            status: Some(letter.status).filter(|status| *status > 0),
            error: letter.error,
            dead_at: letter.at.rfc3339(),
        }
    }
}

pub async fn of_channel(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let limit = query.limit()?;
    let target = channel(&app, &caller, &params, Webhook::MayBeGone, &Once::none()).await?;
    list(&app, &target, limit).await
}

pub async fn of_actor(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let limit = query.limit()?;
    let target = actor(&app, &caller, &params, Webhook::MayBeGone, &Once::none()).await?;
    list(&app, &target, limit).await
}

async fn list(app: &App, target: &Target, limit: u64) -> Result<Answer> {
    let (found, _, _) = letters(app, target, First::Newest, limit).await?;
    Answer::ok(&DeadLetters { data: found.into_iter().map(|(_, letter)| letter.into()).collect(), limit })
}

/// Which dead letters come first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Newest,
    Oldest,
}

/// Dead letters, each as it is stored and as it was read; how many there are in all; Redis' time.
pub(super) async fn letters(app: &App, target: &Target, first: First, limit: u64) -> Result<(Vec<(String, Letter)>, u64, Micros)> {
    let slot = app.keys.hook(target.as_str());
    let first = if first == First::Newest { "newest" } else { "oldest" };
    let reply = scripts::HOOK_DEAD.on(&slot).arg("first", first).int("limit", limit).may_send_again(true).run(&app.redis).await?;
    let read = |(_, facts): (String, String)| Letter::parse(&facts).map(|letter| (facts, letter));
    let found = reply.pairs(0)?.into_iter().map(read).collect::<Option<Vec<_>>>();
    Ok((found.ok_or_else(|| ApiError::internal("a dead letter is broken"))?, reply.uint(1)?, reply.now()))
}
