//! Asking and writing down what came of it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::record::{Entry, Grant, Op, Outcome, Shown, micros};
use super::super::world::World;
use crate::support::client::Ask;

/// Of a request that does not wait: less than a replica stays frozen.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Before something is asked again that had no clear answer.
pub const PAUSE: Duration = Duration::from_millis(100);
/// After this long a generator stops asking again: the run is lost anyhow.
pub const GIVE_UP: Duration = Duration::from_secs(40);

/// Asks once, and writes it down.
pub async fn once(world: &World, entry: &mut Entry, ask: Ask) {
    // What the service may do again by itself: everything but a post, release or claim-next without Idempotency-Key.
    let repeatable = entry.key.is_some() || !matches!(entry.op, Op::Post | Op::Release | Op::ClaimNext | Op::Retract);
    let patience = if entry.waits { PATIENCE + world.plan.claim_wait() } else { PATIENCE };
    let body = world.recorder.perform(entry, ask, patience, repeatable).await;
    (entry.grants, entry.shown) = (Vec::new(), Vec::new());
    if entry.is_ok() {
        match entry.op {
            Op::Post => {
                entry.message = body["message"]["id"].as_str().map(str::to_owned);
                entry.expires = micros(&body["message"]["expires_at"]);
            }
            Op::ClaimNext if body["claims"].is_array() => {
                entry.grants = body["claims"].as_array().into_iter().flatten().map(grant).collect();
            }
            Op::ClaimNext if body["claimed"].is_null() => {}
            Op::ClaimNext => entry.grants = vec![grant_of(&body, &body["claimed"])],
            Op::Claim if body["status"] != "already_acknowledged" => {
                let attempt = body["message"]["attempt"].as_u64().unwrap_or_default();
                entry.grants = vec![Grant { attempt, ..grant(&body) }];
            }
            Op::Heartbeat => entry.grants = vec![grant(&body)],
            _ => {}
        }
    }
    world.recorder.keep(entry);
}

/// Asks again until it is answered; each time is written down. Only what may be asked twice.
pub async fn until_known(world: &World, entry: &mut Entry, ask: impl Fn() -> Ask) {
    let began = Instant::now();
    loop {
        once(world, entry, ask()).await;
        let clear = matches!(entry.outcome, Outcome::Ok | Outcome::Refused(_) | Outcome::Fault(_));
        if clear || began.elapsed() > GIVE_UP {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn grant(body: &Value) -> Grant {
    grant_of(body, &body["message"])
}

fn grant_of(body: &Value, message: &Value) -> Grant {
    Grant {
        message: text(&message["id"]),
        attempt: body["attempt"].as_u64().unwrap_or_default(),
        lease_end: micros(&body["lease_expires_at"]),
        claimed_at: micros(&message["claimed_at"]),
        expires: micros(&message["expires_at"]),
        token: body["lease_token"].as_str().map(str::to_owned),
    }
}

pub fn shown(page: &Value) -> Vec<Shown> {
    let one = |m: &Value| Shown {
        message: text(&m["id"]),
        content: text(&m["content"]),
        created_at: text(&m["created_at"]),
        state: text(&m["state"]),
        attempt: m["attempt"].as_u64().unwrap_or_default(),
        expires: micros(&m["expires_at"]),
    };
    page["data"].as_array().into_iter().flatten().map(one).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
