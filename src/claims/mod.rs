//! Claims: who has a message. At most one actor at any time; a lease gives it back by itself when its holder is silent.

pub mod ack;
pub mod claim;
pub mod heartbeat;
pub mod next;
pub mod record;
pub mod release;

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use self::record::ClaimRecord;
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::Fields;
use crate::ids::{KeyId, LeaseToken, MessageId};
use crate::messages::{MessageView, Stored};
use crate::store::{Reply, scripts};
use crate::telemetry;

/// Longest lease that one call may ask for, in seconds.
pub const MAX_LEASE_S: u64 = 3600;
/// Lease of who does not say how long, in seconds.
pub const DEFAULT_LEASE_S: u64 = 300;

/// What an operation on a claim answers.
#[derive(Serialize, ToSchema)]
pub struct ClaimStatus {
    /// claim: `claimed`, `already_claimed`, `already_acknowledged`; release: `released`; ack: `acknowledged`, `already_acknowledged`.
    #[schema(example = "claimed")]
    pub status: String,
    pub message: MessageView,
}

/// A lease that runs.
#[derive(Serialize, ToSchema)]
pub struct Lease {
    /// Proof that you hold the message: send it with heartbeat, ack and release.
    pub lease_token: String,
    /// When the message can be claimed by others, unless you extend the lease or acknowledge before.
    pub lease_expires_at: String,
    /// The same as lease_expires_at, for older clients.
    pub expires_at: String,
    /// How often this message was claimed, this time included.
    pub attempt: u64,
    pub message: MessageView,
}

/// A lease made by a claim.
#[derive(Serialize, ToSchema)]
pub struct LeasedClaim {
    /// `claimed`, or `already_acknowledged`.
    #[schema(example = "claimed")]
    pub status: String,
    #[serde(flatten)]
    pub lease: Lease,
}

/// A message and its claim record, as the scripts of this domain answer: ttl µs, entry, record.
pub struct Claimed {
    pub id: MessageId,
    pub stored: Stored,
    pub record: ClaimRecord,
    pub ttl_us: u64,
}

impl Claimed {
    /// # Errors
    /// When the script answered something else.
    pub fn read(id: &MessageId, reply: &Reply) -> Result<Self> {
        let broken = || ApiError::internal("a claim script answered without message or record");
        let stored = Stored::parse_parts(reply.list(1)?).ok_or_else(broken)?;
        let record = ClaimRecord::parse(reply.str(2)?).ok_or_else(broken)?;
        Ok(Self { id: id.clone(), stored, record, ttl_us: reply.uint(0)? })
    }

    /// # Errors
    /// When what is stored is not what we write.
    pub fn view(self, reply: &Reply) -> Result<MessageView> {
        self.stored.view(self.id.channel(), Some(self.record), self.ttl_us, reply.now())
    }

    /// # Errors
    /// When what is stored is not what we write, or no lease runs.
    pub fn lease(self, reply: &Reply) -> Result<Lease> {
        let ends = self.record.lease_until.ok_or_else(|| ApiError::internal("a leased claim without an end"))?.rfc3339();
        let token = LeaseToken::new(self.id.clone(), self.record.secret.clone()).to_text();
        let attempt = self.record.attempt;
        Ok(Lease { lease_token: token, lease_expires_at: ends.clone(), expires_at: ends, attempt, message: self.view(reply)? })
    }
}

/// The lease token that a body carries, if it does: only its secret matters, and it must be of this message.
fn sent_token(fields: &Fields, id: &MessageId) -> Result<String> {
    let Some(text) = fields.text("lease_token")?.filter(|t| !t.is_empty()) else { return Ok(String::new()) };
    match LeaseToken::parse(&text) {
        Some(token) if token.message() == id => Ok(token.secret().to_owned()),
        _ => Err(ApiError::new(Code::LeaseLost)
            .field("lease_token")
            .because("This lease token is not one of this message; nothing was changed.")),
    }
}

/// Older clients send `metadata` along: it has to be an object, and is not kept.
pub(crate) fn check_metadata(fields: &Fields) -> Result<()> {
    fields.object("metadata").map(|_| ())
}

/// How long a lease is asked for, in seconds.
fn lease_s(fields: &Fields) -> Result<Option<u64>> {
    fields.integer("lease_seconds", Code::InvalidLeaseSeconds, 1, MAX_LEASE_S)
}

/// A message whose channel is gone is gone.
pub(crate) fn of_message(e: ApiError) -> ApiError {
    if e.code() == Code::ChannelNotFound { ApiError::new(Code::MessageNotFound) } else { e }
}

/// What is needed to undo a claim.
struct Undo {
    key: KeyId,
    id: MessageId,
    attempt: u64,
    secret: String,
    leased: bool,
}

/// Runs a claim to its end, whether or not its client is still there. A client that hung up cannot know that it holds something: what it
/// got is given back, by attempt number, unless an Idempotency-Key lets it ask again. Boxed, because it is large and goes through many hands.
async fn detached<T: Send + 'static>(
    app: &App,
    may_ask_again: bool,
    claim: Pin<Box<dyn Future<Output = Result<T>> + Send>>,
    undo: impl Fn(&T) -> Vec<Undo> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (tracker, app) = (app.background.clone(), app.clone());
    let task = async move {
        let claimed = claim.await;
        if let Err(Ok(unheard)) = sender.send(claimed)
            && !may_ask_again
        {
            for claim in undo(&unheard) {
                Box::pin(give_back(&app, &claim)).await;
            }
        }
    };
    if telemetry::is_on() {
        tracker.spawn(task.in_current_span());
    } else {
        tracker.spawn(task);
    }
    receiver.await.map_err(|_| ApiError::internal("a claim ended without an answer"))?
}

async fn give_back(app: &App, claim: &Undo) {
    let slot = app.keys.channel(claim.id.channel());
    let done = scripts::CLAIM_GIVE_BACK
        .on(&slot)
        .arg("key", claim.key.as_str())
        .int("n", claim.id.micros().0)
        .int("attempt", claim.attempt)
        .arg("secret", &claim.secret)
        .may_send_again(true)
        .run(&app.redis)
        .await;
    match done {
        Ok(reply) => {
            app.metrics.claim_given_back();
            if reply.status() == "returned" {
                app.tally.released(claim.id.channel());
                if claim.leased {
                    app.leases.ended(&claim.key, &claim.id, claim.attempt);
                }
            }
        }
        Err(e) => {
            tracing::warn!(
                code = e.code().spec().word,
                cause = e.log_cause(),
                "a claim of a client that hung up runs until its lease ends"
            );
        }
    }
}
