//! What a try needs: where to, the secret, and the body. Read anew for each, so that a new URL or secret holds at once, what was retracted
//! is told to nobody, and the webhooks of a revoked key are silent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use moka::sync::Cache;
use serde_json::json;
use url::Url;

use super::ActorHook;
use super::gate::Gate;
use super::job::{Event, Job, Target};
use super::sign::Signer;
use crate::actors;
use crate::app::App;
use crate::claims::record::ClaimRecord;
use crate::error::{ApiError, Code, Result};
use crate::ids::{ActorId, ChannelId, KeyId, Micros};
use crate::messages::{SEPARATOR, told};
use crate::store::{log, scripts};
use crate::telemetry::Mark;

/// Where to: one for all tries that were read together.
pub struct Hook {
    pub url: Url,
    /// Host and port: what has places and a breaker.
    pub host: String,
    /// The way to it, once one of these tries has asked for it.
    pub gate: OnceLock<Arc<Gate>>,
    /// As it is stored: what a webhook is recognised by when it is to be taken away.
    pub stored: String,
    /// None: nothing is signed.
    pub signer: Option<Signer>,
    /// Whose webhook it is.
    pub owner: KeyId,
}

impl Hook {
    fn new(url: &str, stored: String, secret: &str, owner: KeyId) -> Result<Arc<Self>> {
        let url = Url::parse(url).map_err(|_| ApiError::internal("a webhook's URL is not one"))?;
        let host = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        Ok(Arc::new(Self { url, host, gate: OnceLock::new(), stored, signer: Signer::of(secret), owner }))
    }
}

/// A try that can be made.
pub struct Ready {
    pub hook: Arc<Hook>,
    pub body: String,
    /// Where the message was posted, if that was traced.
    pub post: Option<Mark>,
    /// Redis' time.
    pub now: Micros,
}

/// Whether there is something to do.
pub enum Loaded {
    Ready(Ready),
    /// Nothing to tell any more; why, for metrics.
    Nothing(&'static str),
}

/// Reads all that the next tries of these jobs need, in their order; all are of the same target. Those of a channel are read in one step.
///
/// # Errors
/// Redis trouble.
pub async fn load(app: &App, owners: &Owners, jobs: &[&Job]) -> Result<Vec<Loaded>> {
    match jobs.first().map(|job| &job.target) {
        None => Ok(Vec::new()),
        Some(Target::Channel(id)) => of_channel(app, owners, jobs, id).await,
        Some(Target::Actor(id)) => {
            let mut all = Vec::with_capacity(jobs.len());
            for job in jobs {
                all.push(of_actor(app, job, id).await?);
            }
            Ok(all)
        }
    }
}

async fn of_channel(app: &App, owners: &Owners, jobs: &[&Job], id: &ChannelId) -> Result<Vec<Loaded>> {
    let none = |why: &'static str| Ok(jobs.iter().map(|_| Loaded::Nothing(why)).collect());
    let found = match read(app, id, Event::MessageCreated, jobs.iter().filter_map(|job| job.number), "").await? {
        Ok(found) => found,
        Err(why) => return none(why),
    };
    if found.url.is_empty() {
        return none("no_webhook");
    }
    let owner = KeyId::parse(&found.owner).ok_or_else(|| ApiError::internal("a channel's owner is not a key"))?;
    if !owners.is_active(app, &owner).await? {
        return none("key_revoked");
    }
    let hook = Hook::new(&found.url, found.url.clone(), &found.secret, owner)?;
    let mut messages = found.messages.into_iter();
    let mut all = Vec::with_capacity(jobs.len());
    for job in jobs {
        let message = if job.number.is_some() { messages.next().flatten() } else { None };
        let mut post = None;
        let body = match (job.event, message) {
            (Event::MessageCreated, Some(posted)) => {
                post = posted.post;
                posted.body + "}"
            }
            (Event::MessageCreated, None) => {
                all.push(Loaded::Nothing("message_gone"));
                continue;
            }
            (Event::MemberAdded, _) => {
                let (member, by) = job.subject.split_once(SEPARATOR).unwrap_or((&job.subject, ""));
                json!({ "event": job.event.word(), "channel_id": id.as_str(), "member_key_id": member, "approved_by": by }).to_string()
            }
            (Event::Test, _) => json!({ "event": job.event.word(), "channel_id": id.as_str() }).to_string(),
            (Event::Mention, _) => return Err(ApiError::internal("a delivery to a channel's webhook is not one of ours")),
        };
        all.push(Loaded::Ready(Ready { hook: hook.clone(), body, post, now: found.now }));
    }
    Ok(all)
}

async fn of_actor(app: &App, job: &Job, id: &ActorId) -> Result<Loaded> {
    let slot = app.keys.actor(id);
    let reply = scripts::WEBHOOK_ACTOR_HOOK.on(&slot).arg("id", id.as_str()).may_send_again(true).run(&app.redis).await?;
    if reply.status() == "none" {
        return Ok(Loaded::Nothing("no_webhook"));
    }
    let (record, stored) = (reply.text(0)?, reply.text(1)?);
    let broken = || ApiError::internal("an actor's webhook is broken");
    let owner = actors::Record::parse(&record, "").and_then(|record| KeyId::parse(record.owner())).ok_or_else(broken)?;
    let hook = ActorHook::parse(&stored).ok_or_else(broken)?;
    let (body, post) = match (&job.channel, job.event) {
        (None, Event::Test) => (json!({ "event": job.event.word(), "actor_id": id.as_str() }).to_string(), None),
        (Some(channel), Event::Mention) => {
            let found = match read(app, channel, job.event, job.number.into_iter(), owner.as_str()).await? {
                Ok(found) => found,
                Err(why) => return Ok(Loaded::Nothing(why)),
            };
            let Some(posted) = found.messages.into_iter().next().flatten() else { return Ok(Loaded::Nothing("message_gone")) };
            if !may_push(app, job, channel, id).await? {
                return Ok(Loaded::Nothing("muted"));
            }
            (format!(r#"{},"mentioned_actor_id":"{}"}}"#, posted.body, id.as_str()), posted.post)
        }
        _ => return Err(ApiError::internal("a delivery to an actor's webhook is not one of ours")),
    };
    let hook = Hook::new(&hook.url, stored, &hook.secret, owner)?;
    Ok(Loaded::Ready(Ready { hook, body, post, now: reply.now() }))
}

/// One mention a minute for each actor and channel. A later try of what was let through needs no leave.
async fn may_push(app: &App, job: &Job, channel: &ChannelId, actor: &ActorId) -> Result<bool> {
    if job.attempt > 1 {
        return Ok(true);
    }
    let slot = app.keys.channel(channel);
    let call = scripts::WEBHOOK_PUSH_ONCE.on(&slot).key("pushed", actor.as_str()).arg("delivery", &job.delivery);
    Ok(call.may_send_again(true).run(&app.redis).await?.status() != "muted")
}

/// Whether owners' keys are active, as this worker knew within the last second.
pub struct Owners(Cache<KeyId, bool>);

impl Default for Owners {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(1)).build())
    }
}

impl Owners {
    async fn is_active(&self, app: &App, key: &KeyId) -> Result<bool> {
        if let Some(known) = self.0.get(key) {
            return Ok(known);
        }
        let slot = app.keys.key(key);
        let call = scripts::WEBHOOK_KEY_IS_ACTIVE.on(&slot).key("record", key.as_str());
        let is_active = call.may_send_again(true).run(&app.redis).await?.status() == "active";
        self.0.insert(key.clone(), is_active);
        Ok(is_active)
    }
}

/// What the channel knows.
struct Found {
    url: String,
    secret: String,
    owner: String,
    /// Those that were asked for; none where one is gone.
    messages: Vec<Option<Posted>>,
    now: Micros,
}

/// A message to tell of.
struct Posted {
    /// The JSON that is sent, up to the message.
    body: String,
    /// See [`Ready::post`].
    post: Option<Mark>,
}

/// Why there is nothing to tell stands in the inner error. `event` is what is told of the messages. `reader` must be able to read the channel, if it is not empty.
async fn read(
    app: &App,
    channel: &ChannelId,
    event: Event,
    numbers: impl Iterator<Item = Micros>,
    reader: &str,
) -> Result<std::result::Result<Found, &'static str>> {
    let (slot, redis) = (app.keys.channel(channel), &app.redis);
    let numbers: Vec<Micros> = numbers.collect();
    let call = scripts::WEBHOOK_LOAD.on(&slot).arg("reader", reader).may_send_again(true).run(redis);
    let (reply, entries, records) = tokio::join!(call, log::pick(redis, &slot, &numbers), log::records(redis, &slot, &numbers));
    let reply = match reply {
        Err(e) if e.code() == Code::ChannelNotFound => return Ok(Err("channel_deleted")),
        reply => reply?,
    };
    if reply.status() == "stranger" {
        return Ok(Err("not_a_member"));
    }
    let (entries, records, ttl, gone_by) = (entries?, records?, reply.uint(3)?, reply.int(4)?);
    let mut messages = Vec::with_capacity(numbers.len());
    for (i, number) in numbers.iter().enumerate() {
        let is_kept = i64::try_from(number.0).is_ok_and(|n| n > gone_by);
        let Some(entry) = entries.get(*number).filter(|_| is_kept) else {
            messages.push(None);
            continue;
        };
        let record = ClaimRecord::parse_value(records.get(i))?;
        let mut body = format!(r#"{{"event":"{}","message":"#, event.word());
        let post = told::tell(entry, record, channel, ttl, reply.now(), &mut body)?;
        messages.push(Some(Posted { body, post }));
    }
    Ok(Ok(Found { url: reply.text(0)?, secret: reply.text(1)?, owner: reply.text(2)?, messages, now: reply.now() }))
}
