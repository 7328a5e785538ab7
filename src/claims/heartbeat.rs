//! `POST /v1/leases/{lease_token}/heartbeat`

use axum::extract::State;
use utoipa::ToSchema;

use super::{Claimed, DEFAULT_LEASE_S, Lease, lease_s};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::Micros;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static HEARTBEAT_LEASE: Operation = Operation {
    id: "heartbeatLease",
    method: "POST",
    path: "/v1/leases/{lease_token}/heartbeat",
    tag: "Claims",
    summary: "Extend a lease",
    about: "The lease ends lease_seconds from now. Send one well before the end, for example every third of the lease. \
            410 lease_expired: stop working, another agent may have the message. A message is held for 12 hours at most.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesClaim)),
    query: &[],
    request: Some(schema::of::<Heartbeat>),
    success: (200, Some(schema::of::<Lease>)),
    also: None,
    scripts: &[&scripts::CLAIM_HEARTBEAT],
    refusals: &[Code::InvalidLeaseSeconds],
};

/// What to send.
#[derive(ToSchema)]
pub struct Heartbeat {
    #[schema(default = 300, minimum = 1, maximum = 3600)]
    pub lease_seconds: Option<u64>,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let token = params.lease_token()?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let lease_s = lease_s(&body.fields)?.unwrap_or(DEFAULT_LEASE_S);
    let slot = app.keys.channel(token.message().channel());
    let reply = scripts::CLAIM_HEARTBEAT
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .int("n", token.message().micros().0)
        .arg("secret", token.secret())
        .int("lease_ms", lease_s * 1000)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true) // a second heartbeat moves the end as the first did
        .run_confirmed(&app.redis)
        .await?;
    let mut claimed = Claimed::read(token.message(), &reply)?;
    let replayed = reply.status() == "replayed";
    if replayed {
        claimed.record.lease_until = Some(Micros(reply.uint(3)?));
    } else {
        app.leases.moved(&caller.key, token.message(), &claimed.record);
    }
    Ok(Answer::ok(&claimed.lease(&reply)?)?.once(&once, replayed))
}
