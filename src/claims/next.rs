//! Claim-next: the oldest unclaimed messages, now or as soon as there are some.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Undo, detached};
use crate::actors::Actor;
use crate::app::App;
use crate::claims::record::ClaimRecord;
use crate::error::{ApiError, Code, Result};
use crate::http::{Caller, Once};
use crate::ids::{ChannelId, KeyId, LeaseToken, MessageId, Micros};
use crate::messages::poll::Wait;
use crate::messages::{Stored, pairs};
use crate::store::{Reply, scripts};
use crate::telemetry;
use crate::usage::leases;
use crate::wait::{HubError, Subscribed, Turn, recheck_delay};

/// What a claimer asks for.
#[derive(Clone)]
pub struct Ask {
    pub channel: ChannelId,
    pub key: KeyId,
    pub actor: Actor,
    /// 0: hold until ack or expiry.
    pub lease_s: u64,
    /// At most this many, 1 to 10.
    pub max: u64,
    pub once: Once,
}

/// What a claimer got: nothing, or messages with their records.
pub struct Got {
    pub taken: Vec<(Stored, ClaimRecord)>,
    pub ttl_us: u64,
    pub now: Micros,
    pub replayed: bool,
    lease_ends: Option<Micros>,
}

/// Claims at once what there is; else waits for it, one waiter woken a message. Nothing after the wait is no error.
///
/// # Errors
/// What `lua/claims/next.lua` refuses, also after a wait during which access was lost; Redis trouble.
pub async fn claim_next(app: &App, caller: &Caller, ask: Ask, wait: Wait) -> Result<Got> {
    let got = attempt(app, &ask).await?;
    let Some(until) = wait.until.filter(|_| got.taken.is_empty()) else { return Ok(got) };
    let Some(_place) = app.waiting.enter(&caller.key) else { return Ok(got) };
    let _counted = app.metrics.waits.began();
    let began = Instant::now();
    // Boxed, so that those who are answered at once do not carry room for a wait.
    let ended = Box::pin(hold(app, caller, &ask, until, got)).await;
    let end = match &ended {
        Ok(got) if got.taken.is_empty() => "empty",
        Ok(_) => "messages",
        Err(_) => "error",
    };
    app.metrics.waits.ended("claim", end, began.elapsed());
    ended
}

async fn hold(app: &App, caller: &Caller, ask: &Ask, until: Instant, mut got: Got) -> Result<Got> {
    let place = match Box::pin(app.hub.topic(&app.keys.wake_topic(&ask.channel))).await {
        Ok(place) => Arc::new(place),
        Err(HubError::Full) => return Ok(got),
        Err(e) => return Err(ApiError::new(Code::StorageUnavailable).cause(e.to_string())),
    };
    let mut turn: Option<Turn> = None;
    loop {
        // A key that was revoked meanwhile gets nothing more.
        Box::pin(caller.still_admitted(app)).await?;
        got = Box::pin(attempt(app, ask)).await?;
        if !got.taken.is_empty() {
            if turn.is_none() {
                place.pass_turn(); // there may be more where this came from
            }
            return Ok(got); // a turn that is dropped goes to the next waiter
        }
        if let Some(turn) = turn.take() {
            turn.spend(); // nothing for the next waiter either
        }
        wake_when_a_lease_ends(&place, &got);
        tokio::select! {
            mine = place.claim_turn() => turn = Some(mine),
            () = sleep(recheck_delay()) => {}
            () = app.shutdown.signal() => return Ok(got),
            () = sleep_until(until) => return Ok(got),
        }
    }
}

fn wake_when_a_lease_ends(place: &Subscribed, got: &Got) {
    if let Some(end) = got.lease_ends {
        place.wake_after(Duration::from_micros(end.0.saturating_sub(got.now.0)));
    }
}

/// One try, run to its end even if the client hangs up meanwhile.
async fn attempt(app: &App, ask: &Ask) -> Result<Got> {
    let (task_app, task_ask, undo_ask) = (app.clone(), ask.clone(), ask.clone());
    let claim = Box::pin(async move {
        let (reply, got) = run(&task_app, &task_ask).await?;
        let slot = task_app.keys.channel(&task_ask.channel);
        let confirmed = if got.taken.is_empty() { Ok(()) } else { task_app.redis.confirm(&slot, &reply).await };
        Ok((got, confirmed))
    });
    detached(app, ask.once.is_kept(), claim, move |(got, _): &(Got, Result<()>)| {
        if got.replayed {
            return Vec::new();
        }
        let undo = |(m, r): &(Stored, ClaimRecord)| Undo {
            key: undo_ask.key.clone(),
            id: MessageId::new(undo_ask.channel.clone(), m.micros),
            attempt: r.attempt,
            secret: r.secret.clone(),
            leased: r.lease_until.is_some(),
        };
        got.taken.iter().map(undo).collect()
    })
    .await
    .and_then(|(got, confirmed)| confirmed.map(|()| got))
}

async fn run(app: &App, ask: &Ask) -> Result<(Reply, Got)> {
    let slot = app.keys.channel(&ask.channel);
    let secret = LeaseToken::new_secret();
    let room = if ask.lease_s > 0 { leases::room(app, &ask.key).await? } else { None };
    let reply = scripts::CLAIM_NEXT
        .on(&slot)
        .key("idem", &ask.once.name)
        .arg("key", ask.key.as_str())
        .arg("actor", ask.actor.id.as_str())
        .arg("name", &ask.actor.name)
        .int("lease_ms", ask.lease_s * 1000)
        .int("lease_cap", leases::cap(app, room))
        .arg("secret", &secret)
        .int("max", room.map_or(ask.max, |room| ask.max.min(room.max(1))))
        .int("idem_ms", ask.once.ms)
        .arg("body", &ask.once.body)
        .may_send_again(ask.once.is_kept()) // without a record a second try would take a second message
        .to_be_confirmed()
        .run(&app.redis)
        .await
        .map_err(|e| leases::of_key(app, room, e))?;
    let got = decode(&reply)?;
    match reply.status() {
        "empty" => app.metrics.work.leases_ended.inc_by(reply.uint(1)?),
        "claimed" => app.metrics.work.leases_ended.inc_by(reply.uint(3)?),
        _ => {}
    }
    if !got.replayed {
        app.tally.claimed(&ask.key, &ask.channel, got.taken.len());
        for (message, record) in &got.taken {
            app.metrics.work.claimed(message.micros, record);
            app.leases.given(&ask.key, &MessageId::new(ask.channel.clone(), message.micros), record);
            telemetry::link(message.head.post.as_deref());
        }
    }
    Ok((reply, got))
}

fn decode(reply: &Reply) -> Result<Got> {
    if reply.status() == "empty" {
        let lease_ends = Some(reply.micros(0)?).filter(|t| t.0 > 0);
        return Ok(Got { taken: Vec::new(), ttl_us: 0, now: reply.now(), replayed: false, lease_ends });
    }
    let taken = pairs(reply, 1)?.into_iter().map(|(m, r)| r.map(|r| (m, r))).collect::<Option<_>>();
    Ok(Got {
        taken: taken.ok_or_else(|| ApiError::internal("claimed messages came without records"))?,
        ttl_us: reply.uint(0)?,
        now: reply.now(),
        replayed: reply.status() == "replayed",
        lease_ends: None,
    })
}
