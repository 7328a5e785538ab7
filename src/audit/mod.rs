//! The audit: who got, lost and was refused rights, by whom and from where. Each key reads what concerns it, the operator reads all.
//!
//! An event is written by the script that has the effect where both are in one slot. Where they are not, it is written right after the
//! effect, by a task that goes on when the client hangs up; it carries its id, so that writing it twice is writing it once.

pub mod all;
pub mod mine;

use std::net::IpAddr;
use std::time::Duration;

use deadpool_redis::redis::Value as RedisValue;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Query, fields::wrong};
use crate::ids::{KeyId, Micros, event_id};
use crate::messages::SEPARATOR;
use crate::store::reply::text_of;
use crate::store::script::Call;
use crate::store::{Reply, scripts};

/// Most events in the audit of one key.
const KEPT_OF_KEY: u64 = 1000;
/// Most events in the audit of the instance.
const KEPT_OF_ALL: u64 = 100_000;
/// Most events of one page.
const MAX_LIMIT: u64 = 500;
const DEFAULT_LIMIT: u64 = 100;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    KeyIssue,
    KeyIssueAdmin,
    KeyRevoke,
    KeyRevokeAdmin,
    ChannelPause,
    ChannelResume,
    ChannelDeleteAdmin,
    ChannelExpire,
    MintingToggle,
    WebhookDisable,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::KeyIssue => "key.issue",
            Self::KeyIssueAdmin => "key.issue.admin",
            Self::KeyRevoke => "key.revoke",
            Self::KeyRevokeAdmin => "key.revoke.admin",
            Self::ChannelPause => "channel.pause",
            Self::ChannelResume => "channel.resume",
            Self::ChannelDeleteAdmin => "channel.delete.admin",
            Self::ChannelExpire => "channel.expire",
            Self::MintingToggle => "minting.toggle",
            Self::WebhookDisable => "webhook.disable",
        }
    }
}

/// An event on its way into an audit.
#[derive(Clone, Debug)]
pub struct Event {
    id: String,
    packed: String,
}

impl Event {
    /// `subject`: the key it is about. `actor`: the key that did it; none is the operator, the service itself, or somebody who had no key yet.
    /// `from`: the client's address; none: nobody asked for it, the service did it by itself. `detail` never holds a secret.
    pub fn new(kind: Kind, subject: Option<&KeyId>, actor: Option<&KeyId>, from: impl Into<Option<IpAddr>>, detail: &Value) -> Self {
        let id = |key: Option<&KeyId>| key.map_or("", KeyId::as_str).to_owned();
        let from = from.into().map_or_else(String::new, |address| address.to_string());
        let parts = [kind.word().to_owned(), id(subject), id(actor), from, detail.to_string()];
        Self { id: event_id(), packed: parts.join(&SEPARATOR.to_string()) }
    }

    /// The arguments of a script that writes the event in the slot of a key.
    pub fn of_key<'a>(&'a self, call: Call<'a>, app: &App) -> Call<'a> {
        self.on(call, KEPT_OF_KEY, app)
    }

    /// The arguments of a script that writes the event in the slot of the instance's audit.
    pub fn of_all<'a>(&'a self, call: Call<'a>, app: &App) -> Call<'a> {
        self.on(call, KEPT_OF_ALL, app)
    }

    fn on<'a>(&'a self, call: Call<'a>, keep: u64, app: &App) -> Call<'a> {
        call.arg("event_id", &self.id).arg("event", &self.packed).int("keep", keep).int("keep_ms", keep_ms(app))
    }
}

fn keep_ms(app: &App) -> u64 {
    app.settings.audit_retention_days * 86_400_000
}

/// Writes an event whose effect has happened: into the instance's audit, and before that into the audit of `owner`, if it is not there
/// yet. Goes on when the request is gone or has waited long enough, and tries again for a few seconds; that an event is missing is in the log.
pub async fn tell(app: &App, owner: Option<&KeyId>, event: Event) {
    let (task_app, owner) = (app.clone(), owner.cloned());
    let task = app.background.spawn(async move {
        if let Some(owner) = owner {
            let slot = task_app.keys.key(&owner);
            let call = || event.of_key(scripts::AUDIT_NOTE.on(&slot).key("audit", owner.as_str()), &task_app);
            repeat(&task_app, call).await;
        }
        let slot = task_app.keys.mint();
        repeat(&task_app, || event.of_all(scripts::AUDIT_FILE.on(&slot), &task_app)).await;
    });
    // Who asked waits for one answer of Redis at most; the task goes on.
    let _ = tokio::time::timeout(app.settings.redis_timeout, task).await;
}

async fn repeat<'a>(app: &App, call: impl Fn() -> Call<'a>) {
    for pause_ms in [50, 200, 800, 0] {
        match call().may_send_again(true).run(&app.redis).await {
            Ok(_) => return,
            Err(e) if pause_ms == 0 => {
                tracing::error!(code = e.code().spec().word, cause = e.log_cause(), "an event is missing in an audit");
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(pause_ms)).await,
        }
    }
}

/// A security event.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct AuditEvent {
    id: String,
    /// `key.issue`, `key.issue.admin`, `key.revoke`, `key.revoke.admin`, `channel.pause`, `channel.resume`, `channel.delete.admin`,
    /// `channel.expire`, `minting.toggle` or `webhook.disable`.
    #[schema(example = "key.issue")]
    event_type: String,
    /// The key it is about.
    subject_key_id: Option<String>,
    /// The key that did it; null: the operator, the service itself, or somebody who had no key yet.
    actor_key_id: Option<String>,
    /// Client address, as far as trusted proxies tell; null: the service did it by itself.
    remote_addr: Option<String>,
    /// What else there is to say; for mints `agent_label`.
    #[schema(value_type = Object)]
    detail: Box<RawValue>,
    created_at: String,
}

impl AuditEvent {
    /// Reads one stream entry: `[number, [i, id, e, event]]`.
    fn parse(entry: &RedisValue) -> Option<Self> {
        let RedisValue::Array(parts) = entry else { return None };
        let [number, RedisValue::Array(fields)] = parts.as_slice() else { return None };
        let micros = Micros(text_of(number)?.strip_suffix("-0")?.parse().ok()?);
        let (id, packed) = (text_of(fields.get(1)?)?, text_of(fields.get(3)?)?);
        let mut parts = packed.splitn(5, SEPARATOR).map(str::to_owned);
        let event_type = parts.next()?;
        let [subject, actor] = [(); 2].map(|()| parts.next());
        let some = |text: Option<String>| text.filter(|t| !t.is_empty());
        Some(Self {
            id,
            event_type,
            subject_key_id: some(subject),
            actor_key_id: some(actor),
            remote_addr: some(Some(parts.next()?)),
            detail: RawValue::from_string(parts.next()?).ok()?,
            created_at: micros.rfc3339(),
        })
    }
}

/// The events of a reply.
fn events(reply: &Reply) -> Result<Vec<AuditEvent>> {
    let broken = || ApiError::internal("an event of an audit is not one of ours");
    reply.list(0)?.iter().map(|entry| AuditEvent::parse(entry).ok_or_else(broken)).collect()
}

/// `limit`, 1 to 500, 100 if absent.
fn limit(query: &Query) -> Result<u64> {
    match query.as_is("limit") {
        None => Ok(DEFAULT_LIMIT),
        Some(text) => text.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n)).ok_or_else(|| {
            wrong(Code::InvalidLimit, "limit", &format!("must be an integer from 1 to {MAX_LIMIT}")).with("min", 1).with("max", MAX_LIMIT)
        }),
    }
}
