//! Calm channels: a message now and then, and always somebody who waits for it. A wake-up that is lost there stays lost: nothing
//! else happens that would wake the waiter by accident, as in a busy channel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::record::{Entry, Op};
use super::super::world::{Channel, World};
use super::asking::{once, until_known};
use super::holders::{ack, release_surely};

/// Most pauses of a poster: enough for a lost wake-up to be late before the next one comes.
const PAUSE: Duration = Duration::from_millis(2500);
/// The others are shorter than this, ms.
const SHORT_MS: u64 = 300;
/// How long a claimer stays away that gave a message back or lost it, so that it goes to one who waits.
const STAY_AWAY: Duration = Duration::from_millis(2500);

/// What a claimer does with a message; it decides before it has one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ack,
    Release,
    /// The lease runs out.
    Lapse,
}

/// Posts, always with an Idempotency-Key: when it is answered is to be known.
pub async fn post(world: Arc<World>, channel: Channel) {
    let name = format!("{}-poster", channel.label);
    let mut dice = world.dice_of(&channel, 0);
    for n in 0.. {
        let content = format!("{name}-{n}");
        let key = format!("{content}-key");
        let mut entry = Entry { content: Some(content.clone()), key: Some(key.clone()), ..Entry::of(&name, Op::Post, &channel.id) };
        until_known(&world, &mut entry, || world.poster.post_to(&channel.id, json!({ "content": content })).once(&key)).await;
        let short = Duration::from_millis(dice.roll(SHORT_MS));
        pause(&world, if n > 0 && dice.one_in(3) { short } else { PAUSE }).await;
        if world.is_over() {
            return;
        }
    }
}

/// Waits for a message, and acks it, gives it back, or loses it.
pub async fn claim(world: Arc<World>, channel: Channel, number: usize) {
    let me = format!("{}-claimer-{number}", channel.label);
    let mut dice = world.dice_of(&channel, 100 + number as u64);
    while !world.is_over() {
        let fate = [Fate::Ack, Fate::Release, Fate::Release, Fate::Lapse, Fate::Lapse][dice.pick(5)];
        // A message that is given back must not be found because its lease would have ended.
        let lease_s = if fate == Fate::Lapse { 1 } else { 6 };
        let replica = dice.pick(world.addresses.len());
        let agent = world.workers[number % world.workers.len()].on(replica);
        let body = json!({ "actor": me, "lease_seconds": lease_s, "wait": world.plan.claim_wait().as_secs() });
        let mut entry = Entry { max: 1, waits: true, replica: Some(replica), ..Entry::of(&me, Op::ClaimNext, &channel.id) };
        once(&world, &mut entry, agent.claim_next(&channel.id, body)).await;
        let agent = &world.workers[number % world.workers.len()];
        match (entry.grants.first(), fate) {
            (None, _) => pause(&world, Duration::from_millis(dice.roll(50))).await,
            (Some(grant), Fate::Ack) => ack(&world, agent, &me, grant).await,
            (Some(grant), Fate::Release) => {
                release_surely(&world, agent, &me, grant).await;
                pause(&world, STAY_AWAY).await;
            }
            (Some(_), Fate::Lapse) => pause(&world, STAY_AWAY).await,
        }
    }
}

/// Not longer than the run.
async fn pause(world: &World, most: Duration) {
    let began = Instant::now();
    while began.elapsed() < most && !world.is_over() {
        tokio::time::sleep(Duration::from_millis(20).min(most)).await;
    }
}
