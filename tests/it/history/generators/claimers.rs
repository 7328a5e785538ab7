//! Who claims, in a busy channel.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::super::record::{Entry, Grant, Op};
use super::super::world::{CLAIMERS, Channel, Dice, World};
use super::asking::{PATIENCE, once, text, until_known};
use super::holders::work;
use crate::support::client::Agent;

const PATH: &str = "/v1/tasks/claim";

/// The first claimers of a key ask for the next messages, one of them waits for them; the last chooses out of a list.
pub async fn claim(world: Arc<World>, channel: Channel, key: usize, number: usize) {
    let (agent, me) = (&world.workers[key], format!("{}-claimer-{key}-{number}", channel.label));
    let mut dice = world.dice_of(&channel, 100 + (key * 10 + number) as u64);
    for n in 0.. {
        if world.is_over() {
            return;
        }
        let lease_s = 1 + dice.roll(world.plan.lease_s);
        let grants = if number + 1 < CLAIMERS {
            let (waits, max) = (number == 0, if dice.one_in(2) { 1 } else { 1 + dice.roll(10) });
            let mut body = json!({ "channel": channel.id, "actor": me, "lease_seconds": lease_s, "max": max });
            // At one replica, so that it is known who owed it a wake-up.
            let replica = waits.then(|| dice.pick(world.addresses.len()));
            let agent = &replica.map_or_else(|| agent.clone(), |replica| agent.on(replica));
            if waits {
                body["wait"] = world.plan.claim_wait().as_secs().into();
            }
            let mut entry = Entry { max, waits, replica, ..Entry::of(&me, Op::ClaimNext, &channel.id) };
            let again = dice.one_in(6);
            if again || dice.one_in(2) {
                let key = format!("{me}-{n}-key");
                entry.key = Some(key.clone());
                until_known(&world, &mut entry, || agent.post(PATH, body.clone()).once(&key)).await;
                if again {
                    until_known(&world, &mut entry, || agent.post(PATH, body.clone()).once(&key)).await;
                }
            } else if dice.one_in(3) {
                hang_up(&world, &mut entry, agent, &body, &mut dice).await;
            } else {
                once(&world, &mut entry, agent.post(PATH, body)).await;
            }
            entry.grants
        } else {
            claim_out_of_a_list(&world, &channel, agent, &me, lease_s, &mut dice).await
        };
        if grants.is_empty() {
            dice.pause(world.plan.pause_ms).await;
        }
        for grant in &grants {
            work(&world, agent, &me, grant, lease_s, &mut dice).await;
        }
    }
}

/// Asks, and has gone before the answer: perhaps just while it is given something.
async fn hang_up(world: &World, entry: &mut Entry, agent: &Agent, body: &Value, dice: &mut Dice) {
    let (body, key) = (body.to_string(), &agent.key);
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: test\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n\r\n", body.len());
    let address = world.addresses[dice.pick(world.addresses.len())].as_str();
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{head}{body}").as_bytes()).await
    };
    world.recorder.unheard(entry, ask).await;
    world.recorder.keep(entry);
}

async fn claim_out_of_a_list(world: &World, channel: &Channel, agent: &Agent, me: &str, lease_s: u64, dice: &mut Dice) -> Vec<Grant> {
    let Ok(page) = agent.list(&channel.id, "status=unclaimed&limit=5").within(PATIENCE).attempt().await else { return vec![] };
    let listed = page.body["data"].as_array().map_or(&[][..], Vec::as_slice);
    if listed.is_empty() {
        return vec![];
    }
    let id = text(&listed[dice.pick(listed.len())]["id"]);
    let mut entry = Entry { message: Some(id.clone()), max: 1, ..Entry::of(me, Op::Claim, &channel.id) };
    if dice.one_in(3) {
        // Held until the ack: whoever cannot know whether it holds it has to ask again.
        let ask = || agent.post(&format!("/v1/messages/{id}/claim"), json!({ "actor": me }));
        until_known(world, &mut entry, ask).await;
    } else {
        let body = json!({ "actor": me, "lease_seconds": lease_s });
        once(world, &mut entry, agent.post(&format!("/v1/messages/{id}/claim-with-lease"), body)).await;
    }
    entry.grants
}
