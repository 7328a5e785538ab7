//! When all is over: the last message, clearing up, and a look at everything.

use std::time::Instant;

use serde_json::json;

use super::super::record::{Entry, Op, Outcome};
use super::super::world::{Channel, World};
use super::LAST;
use super::asking::{GIVE_UP, PATIENCE, PAUSE, once, shown, until_known};
use super::holders::ack;
use crate::support::client::Agent;
use crate::support::fleet::Fleet;

/// Posts what is last in a channel, then claims and acks all that is left there, until everything is done.
pub async fn clear_up(world: &World, channel: &Channel) {
    let (content, key) = (format!("{LAST} of {}", channel.label), format!("{}-last", channel.label));
    let mut last = Entry { content: Some(content.clone()), key: Some(key.clone()), ..Entry::of("drain", Op::Post, &channel.id) };
    until_known(world, &mut last, || world.poster.post_to(&channel.id, json!({ "content": content })).once(&key)).await;
    let agent = &world.workers[0];
    let began = Instant::now();
    loop {
        let mut entry = Entry { max: 10, ..Entry::of("drain", Op::ClaimNext, &channel.id) };
        once(world, &mut entry, agent.claim_next(&channel.id, json!({ "max": 10, "lease_seconds": 5, "actor": "drain" }))).await;
        for grant in &entry.grants {
            ack(world, agent, "drain", grant).await;
        }
        if !entry.grants.is_empty() && began.elapsed() < world.plan.drain {
            continue;
        }
        let all = look(world, channel, agent, "look").await;
        let done = all.iter().all(|entry| entry.is_ok() && entry.shown.iter().all(|m| m.state == "done"));
        if done || began.elapsed() > world.plan.drain {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks at everything on every replica, at what has expired too.
pub async fn look_at_all(fleet: &Fleet, world: &World, channel: &Channel) {
    for replica in 0..fleet.size() {
        let (agent, name) = (world.reader.on(replica), format!("{}-final-{replica}", channel.label));
        // In this order: what expires meanwhile is seen twice, and not missed.
        for entry in look(world, channel, &agent, &name).await {
            world.recorder.keep(&entry);
        }
        for entry in pages(world, channel, &agent, &name, Op::HistoryPage).await {
            world.recorder.keep(&entry);
        }
    }
}

async fn look(world: &World, channel: &Channel, agent: &Agent, name: &str) -> Vec<Entry> {
    pages(world, channel, agent, name, Op::FinalPage).await
}

/// Everything, page by page; a page that is not answered is asked for again.
async fn pages(world: &World, channel: &Channel, agent: &Agent, name: &str, op: Op) -> Vec<Entry> {
    let began = Instant::now();
    let path = format!("/v1/channels/{}/{}", channel.id, if op == Op::HistoryPage { "history" } else { "messages" });
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        let mut entry = Entry { max: 100, ..Entry::of(name, op, &channel.id) };
        let ask = agent.get(&format!("{path}?limit=100&cursor={cursor}"));
        let page = world.recorder.perform(&mut entry, ask, PATIENCE, true).await;
        entry.shown = shown(&page);
        if matches!(entry.outcome, Outcome::Unknown(_)) && began.elapsed() < GIVE_UP {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let next = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        let end = entry.shown.is_empty() || next.is_empty() || next == cursor;
        cursor = next;
        pages.push(entry);
        if end {
            return pages;
        }
    }
}
