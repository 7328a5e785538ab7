//! What becomes of a claim.

use std::time::Duration;

use serde_json::json;

use super::super::record::{Entry, Grant, Op};
use super::super::world::{Dice, World};
use super::asking::{once, until_known};
use crate::support::client::{Agent, Ask};

/// Claims by id what was just given back, and is silent about it.
async fn claim_again(world: &World, agent: &Agent, me: &str, id: &str, lease_s: u64) {
    let mut entry = Entry { message: Some(id.to_owned()), max: 1, ..Entry::new(me, Op::Claim) };
    let body = json!({ "actor": me, "lease_seconds": lease_s });
    once(world, &mut entry, agent.post(&format!("/v1/messages/{id}/claim-with-lease"), body)).await;
}

/// What becomes of a claim: mostly an ack; also heartbeats, a release, silence, and what late or false holders try.
pub async fn work(world: &World, agent: &Agent, me: &str, grant: &Grant, lease_s: u64, dice: &mut Dice) {
    let Some(token) = grant.token.clone() else {
        dice.pause(20).await;
        return ack(world, agent, me, grant).await;
    };
    let fate = dice.roll(20);
    if fate < 2 {
        // Longer than the lease was at first.
        tokio::time::sleep(Duration::from_millis(700 * lease_s)).await;
        heartbeat(world, agent, me, grant, &token, lease_s).await;
        tokio::time::sleep(Duration::from_millis(500 * lease_s)).await;
    }
    if (3..=6).contains(&fate) {
        let forged = forge(&token);
        let nobody = Grant { attempt: 0, token: Some(forged.clone()), ..grant.clone() };
        match dice.roll(3) {
            0 => heartbeat(world, agent, me, &nobody, &forged, lease_s).await,
            1 => release(world, agent, me, &nobody).await,
            _ => once_on(world, agent, me, Op::Ack, &nobody).await,
        }
    }
    match fate {
        5 | 6 => {
            release(world, agent, me, grant).await;
            if dice.one_in(2) {
                late(world, agent, me, grant, lease_s, dice).await;
            } else {
                claim_again(world, agent, me, &grant.message, lease_s).await;
            }
        }
        7 => {
            let lease = Duration::from_secs(lease_s) + Duration::from_millis(30 + dice.roll(100));
            tokio::time::sleep(lease).await;
            late(world, agent, me, grant, lease_s, dice).await;
        }
        8 => {}
        _ => {
            dice.pause(20).await;
            ack(world, agent, me, grant).await;
        }
    }
}

/// The same token with another secret.
fn forge(token: &str) -> String {
    let at = token.len() - 4;
    let changed = if token[at..].starts_with('a') { "b" } else { "a" };
    format!("{}{changed}{}", &token[..at], &token[at + 1..])
}

/// Somebody who does not know that the claim is over.
async fn late(world: &World, agent: &Agent, me: &str, grant: &Grant, lease_s: u64, dice: &mut Dice) {
    match dice.roll(3) {
        0 => heartbeat(world, agent, me, grant, grant.token.as_deref().unwrap_or_default(), lease_s).await,
        1 => release(world, agent, me, grant).await,
        _ => once_on(world, agent, me, Op::Ack, grant).await,
    }
}

async fn heartbeat(world: &World, agent: &Agent, me: &str, grant: &Grant, token: &str, lease_s: u64) {
    let mut entry = Entry { message: Some(grant.message.clone()), attempt: Some(grant.attempt), ..Entry::new(me, Op::Heartbeat) };
    once(world, &mut entry, agent.post(&format!("/v1/leases/{token}/heartbeat"), json!({ "lease_seconds": lease_s }))).await;
}

async fn release(world: &World, agent: &Agent, me: &str, grant: &Grant) {
    once_on(world, agent, me, Op::Release, grant).await;
}

/// The same until it is known, with an Idempotency-Key.
pub async fn release_surely(world: &World, agent: &Agent, me: &str, grant: &Grant) {
    let (mut entry, ask) = on_claim(agent, me, Op::Release, grant);
    let key = format!("{}-{}-release", grant.message, grant.attempt);
    entry.key = Some(key.clone());
    until_known(world, &mut entry, || ask().once(&key)).await;
}

/// Asks until it is known: done twice is done.
pub async fn ack(world: &World, agent: &Agent, me: &str, grant: &Grant) {
    let (mut entry, ask) = on_claim(agent, me, Op::Ack, grant);
    until_known(world, &mut entry, ask).await;
}

async fn once_on(world: &World, agent: &Agent, me: &str, op: Op, grant: &Grant) {
    let (mut entry, ask) = on_claim(agent, me, op, grant);
    once(world, &mut entry, ask()).await;
}

/// An ack or a release of a claim, with its token if it has one.
fn on_claim<'a>(agent: &'a Agent, me: &str, op: Op, grant: &Grant) -> (Entry, impl Fn() -> Ask + 'a) {
    let entry = Entry { message: Some(grant.message.clone()), attempt: Some(grant.attempt), ..Entry::new(me, op) };
    let verb = if op == Op::Ack { "ack" } else { "release" };
    let mut body = json!({ "actor": me });
    if let Some(token) = &grant.token {
        body["lease_token"] = token.as_str().into();
    }
    let path = format!("/v1/messages/{}/{verb}", grant.message);
    (entry, move || agent.post(&path, body.clone()))
}
