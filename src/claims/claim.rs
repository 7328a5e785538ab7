//! `POST /v1/messages/{message_id}/claim` and `…/claim-with-lease`

use axum::extract::State;
use utoipa::ToSchema;

use super::{ClaimStatus, Claimed, DEFAULT_LEASE_S, LeasedClaim, Undo, check_metadata, detached, lease_s, of_message};
use crate::actors::{self, Actor, Unknown};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{KeyId, LeaseToken, MessageId};
use crate::operation::{Auth, Operation, Scope};
use crate::store::{Reply, scripts};
use crate::telemetry;
use crate::usage::leases;

const REFUSALS: &[Code] =
    &[Code::InvalidString, Code::InvalidObject, Code::ActorNotFound, Code::ActorForbidden, Code::InvalidActorName, Code::QuotaExceeded];

pub static CLAIM_MESSAGE: Operation = Operation {
    id: "claimMessage",
    method: "POST",
    path: "/v1/messages/{message_id}/claim",
    tag: "Claims",
    summary: "Claim a message until you acknowledge it or it expires",
    about: "The first to ask gets it; everybody else is told 409 already_claimed and takes another. Nobody gives it back for you if you \
            crash: use claim-with-lease for that.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<ClaimMessage>),
    success: (200, Some(schema::of::<ClaimStatus>)),
    also: None,
    scripts: &[&scripts::CLAIM],
    refusals: REFUSALS,
};

pub static CLAIM_MESSAGE_WITH_LEASE: Operation = Operation {
    id: "claimMessageWithLease",
    method: "POST",
    path: "/v1/messages/{message_id}/claim-with-lease",
    tag: "Claims",
    summary: "Claim a message under a lease",
    about: "When the lease ends without an ack, the message can be claimed by anyone at once. Extend it with heartbeats, and send the \
            lease_token with ack: if the lease was lost meanwhile, you are told so and nothing is changed.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<ClaimWithLease>),
    success: (200, Some(schema::either::<LeasedClaim, ClaimStatus>)),
    also: None,
    scripts: &[&scripts::CLAIM],
    refusals: &[
        Code::InvalidString,
        Code::InvalidObject,
        Code::ActorNotFound,
        Code::ActorForbidden,
        Code::InvalidActorName,
        Code::InvalidLeaseSeconds,
    ],
};

/// What to send.
#[derive(ToSchema)]
pub struct ClaimMessage {
    /// Who claims: an actor of yours, by id or name; a new name is registered. Default: your key's own actor.
    #[schema(example = "worker-1")]
    pub actor: Option<String>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

/// What to send.
#[derive(ToSchema)]
pub struct ClaimWithLease {
    /// Who claims: an actor of yours, by id or name; a new name is registered. Default: your key's own actor.
    #[schema(example = "worker-1")]
    pub actor: Option<String>,
    #[schema(default = 300, minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<u64>,
    /// Accepted for older clients; checked to be an object, and not kept.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

pub async fn plain(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let (reply, claimed) = run(&app, &caller, &id, &body, 0, &once).await?;
    let answer = ClaimStatus { status: status(&reply), message: claimed.view(&reply)? };
    Ok(Answer::ok(&answer)?.once(&once, reply.status() == "replayed"))
}

pub async fn leased(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let id = params.message_id()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let lease_s = lease_s(&body.fields)?.unwrap_or(DEFAULT_LEASE_S);
    let (reply, claimed) = run(&app, &caller, &id, &body, lease_s, &once).await?;
    let replayed = reply.status() == "replayed";
    let answer = if claimed.record.lease_until.is_none() {
        // Done already by this very actor: there is no lease to speak of.
        Answer::ok(&ClaimStatus { status: status(&reply), message: claimed.view(&reply)? })?
    } else {
        Answer::ok(&LeasedClaim { status: status(&reply), lease: claimed.lease(&reply)? })?
    };
    Ok(answer.once(&once, replayed))
}

/// A replay says what the first answer said.
fn status(reply: &Reply) -> String {
    if reply.status() == "replayed" { "claimed" } else { reply.status() }.to_owned()
}

async fn run(app: &App, caller: &Caller, id: &MessageId, body: &Body, lease_s: u64, once: &Once) -> Result<(Reply, Claimed)> {
    check_metadata(&body.fields)?;
    let actor = actors::resolve(app, caller, body.fields.text("actor")?.as_deref(), Unknown::Register).await?;
    let (task_app, key, id, task_once) = (app.clone(), caller.key.clone(), id.clone(), once.clone());
    let undo_key = key.clone();
    detached(
        app,
        once.is_kept(),
        Box::pin(async move {
            let (reply, claimed) = ask(&task_app, &key, &id, &actor, lease_s, &task_once).await?;
            let confirmed = task_app.redis.confirm(&task_app.keys.channel(id.channel()), &reply).await;
            Ok((reply, claimed, confirmed))
        }),
        move |(reply, claimed, _): &(Reply, Claimed, Result<()>)| {
            // Only what this request took; what its key held before stays.
            let mine = reply.status() == "claimed";
            let undo = || Undo {
                key: undo_key.clone(),
                id: claimed.id.clone(),
                attempt: claimed.record.attempt,
                secret: claimed.record.secret.clone(),
                leased: claimed.record.lease_until.is_some(),
            };
            mine.then(undo).into_iter().collect()
        },
    )
    .await
    .and_then(|(reply, claimed, confirmed)| confirmed.map(|()| (reply, claimed)))
}

async fn ask(app: &App, key: &KeyId, id: &MessageId, actor: &Actor, lease_s: u64, once: &Once) -> Result<(Reply, Claimed)> {
    let slot = app.keys.channel(id.channel());
    let secret = LeaseToken::new_secret();
    let room = if lease_s > 0 { leases::room(app, key).await? } else { None };
    let call = scripts::CLAIM
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", key.as_str())
        .int("n", id.micros().0)
        .arg("actor", actor.id.as_str())
        .arg("name", &actor.name)
        .int("lease_ms", lease_s * 1000)
        .int("lease_cap", leases::cap(app, room))
        .arg("secret", &secret)
        .int("idem_ms", once.ms)
        .arg("body", &once.body);
    // The same secret again is the same claim. Its client may repeat a plain claim too; under a lease it would be told that the lease is
    // somebody's.
    let call = if once.is_kept() || lease_s == 0 { call.may_send_again(true) } else { call.only_the_replica_may_send_again() };
    let reply = call.to_be_confirmed().run(&app.redis).await.map_err(|e| of_message(leases::of_key(app, room, e)))?;
    let claimed = Claimed::read(id, &reply)?;
    if reply.status() == "claimed" {
        app.tally.claimed(key, id.channel(), 1);
        app.leases.given(key, id, &claimed.record);
        app.metrics.work.claimed(id.micros(), &claimed.record);
        app.metrics.work.leases_ended.inc_by(reply.uint(3)?);
        telemetry::link(claimed.stored.head.post.as_deref());
    }
    Ok((reply, claimed))
}
