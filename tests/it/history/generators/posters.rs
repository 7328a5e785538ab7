//! Who posts.

use std::sync::Arc;

use serde_json::json;

use super::super::record::{Entry, Op};
use super::super::world::{Channel, World};
use super::asking::{once, until_known};

/// Posters 0 and 1 send an Idempotency-Key and ask until they are answered; 2 and 3 send none and never ask twice.
pub async fn post(world: Arc<World>, channel: Channel, number: u64) {
    let name = format!("{}-poster-{number}", channel.label);
    let mut dice = world.dice_of(&channel, number);
    for n in 0.. {
        if world.is_over() {
            return;
        }
        let content = format!("{name}-{n}");
        let body = json!({ "content": content });
        let mut entry = Entry { content: Some(content.clone()), ..Entry::of(&name, Op::Post, &channel.id) };
        if number < 2 {
            let key = format!("{content}-key");
            entry.key = Some(key.clone());
            until_known(&world, &mut entry, || world.poster.post_to(&channel.id, body.clone()).once(&key)).await;
            if dice.one_in(8) {
                until_known(&world, &mut entry, || world.poster.post_to(&channel.id, body.clone()).once(&key)).await;
            }
            if dice.one_in(10) && entry.is_ok() {
                let other = format!("{content}-other");
                entry.content = Some(other.clone());
                once(&world, &mut entry, world.poster.post_to(&channel.id, json!({ "content": other })).once(&key)).await;
            }
        } else {
            once(&world, &mut entry, world.poster.post_to(&channel.id, body)).await;
            if dice.one_in(20) && entry.is_ok() {
                let id = entry.message.clone().unwrap_or_default();
                let mut entry = Entry { message: Some(id.clone()), ..Entry::of(&name, Op::Retract, &channel.id) };
                once(&world, &mut entry, world.poster.delete(&format!("/v1/messages/{id}"))).await;
            }
        }
        dice.pause(world.plan.pause_ms).await;
    }
}
