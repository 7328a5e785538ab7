//! `GET /v1/channels/{identifier}/metrics`

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::count::Count;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const NAMES: [&str; 9] =
    ["messages", "messages_held", "open", "leased", "claims", "acks", "releases", "lease_expiries", "oldest_open_age_seconds"];

async fn metrics(agent: &Agent, channel: &str) -> Value {
    agent.get(&format!("/v1/channels/{channel}/metrics")).await.ok(200)
}

fn counts(metrics: &Value) -> [u64; 8] {
    std::array::from_fn(|i| metrics[NAMES[i]].as_u64().unwrap_or_else(|| panic!("{}: {metrics}", NAMES[i])))
}

#[tokio::test]
async fn an_owner_sees_what_its_channel_holds_and_what_was_done_at_all_replicas() {
    let fleet = Fleet::builder().env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1").start().await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let channel = owner.channel_with(json!({ "name": "tasks", "mode": "claimable" })).await;
    let none = metrics(&owner, &channel).await;
    assert_eq!((counts(&none), &none["oldest_open_age_seconds"], &none["channel_id"]), ([0; 8], &Value::Null, &json!(channel)));

    let mut ids = Vec::new();
    for content in ["done", "released", "lapsed", "held", "leased", "open"] {
        ids.push(owner.post_message(&channel, content).await);
    }
    worker.on(0).claim(&ids[0]).await.ok(200);
    worker.on(1).ack(&ids[0]).await.ok(200);
    worker.on(0).ack(&ids[0]).await.ok(200); // again: no further one
    worker.on(1).claim(&ids[1]).await.ok(200);
    worker.on(0).release(&ids[1]).await.ok(200);
    worker.on(0).claim_with_lease(&ids[2], 1).await.ok(200);
    worker.on(1).claim(&ids[3]).await.ok(200);
    worker.on(1).claim_with_lease(&ids[4], 600).await.ok(200);
    owner.claim(&ids[3]).await.refused(409, "already_claimed");

    // messages, messages_held, open, leased, claims, acks, releases, lease_expiries
    let expected = [6, 6, 3, 1, 5, 1, 1, 1];
    eventually("all is counted", Duration::from_secs(30), || async { counts(&metrics(&owner, &channel).await) == expected }).await;
    let shown = metrics(&owner, "tasks").await; // by its name, too
    assert_eq!(counts(&shown), expected);
    let age = shown["oldest_open_age_seconds"].as_f64().unwrap();
    assert!((1.0..600.0).contains(&age), "{age}");
    assert_eq!(shown.as_object().unwrap().len(), NAMES.len() + 1);

    // What is taken back was posted, and is held no more. A replica that leaves takes nothing with it.
    owner.delete(&format!("/v1/messages/{}", ids[5])).await.ok(200);
    worker.on(1).release(&ids[3]).await.ok(200);
    assert!(fleet.terminate(1).await.success());
    assert_eq!(counts(&metrics(&owner.on(0), &channel).await), [6, 5, 3, 1, 5, 1, 2, 1]);
    fleet.finish().await;
}

#[tokio::test]
async fn a_broadcast_counts_acks_and_has_nothing_to_claim() {
    let fleet = Fleet::start(2).await;
    let (owner, reader) = (fleet.agent("owner").await, fleet.agent("reader").await);
    let channel = owner.channel("broadcast").await;
    let message = owner.post_message(&channel, "news").await;
    for agent in [&owner, &reader] {
        agent.on(0).ack(&message).await.ok(200);
    }
    let shown = metrics(&owner.on(0), &channel).await;
    assert_eq!((counts(&shown), &shown["oldest_open_age_seconds"]), ([1, 1, 0, 0, 0, 2, 0, 0], &Value::Null));
    fleet.finish().await;
}

#[tokio::test]
async fn metrics_are_for_the_owner() {
    let fleet = Fleet::start(2).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let (open, closed) = (owner.channel("claimable").await, owner.restricted("claimable").await);
    owner.post(&format!("/v1/channels/{closed}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    let ask = |agent: &Agent, channel: &str| agent.get(&format!("/v1/channels/{channel}/metrics"));
    ask(&stranger, &open).await.refused(403, "forbidden");
    ask(&stranger, &closed).await.refused(403, "channel_access_denied");
    ask(&member, &closed).await.refused(403, "forbidden");
    ask(&owner, "no-such-channel").await.refused(404, "channel_not_found");
    ask(&owner, &closed).await.ok(200);
    fleet.client().get(&format!("/v1/channels/{open}/metrics")).await.refused(401, "unauthorized");
    owner.delete(&format!("/v1/channels/{open}")).await.has_status(204);
    ask(&owner, &open).await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn claims_acks_and_releases_cost_redis_nothing_more_for_being_counted() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).start().await;
    let agent = fleet.agent("owner").await;
    let channel = agent.channel("claimable").await;
    let count = Count::start(&redis);
    for _ in 0..20 {
        let message = agent.post_message(&channel, "x").await;
        agent.claim(&message).await.ok(200);
        agent.release(&message).await.ok(200);
        agent.claim_with_lease(&message, 60).await.ok(200);
        agent.ack(&message).await.ok(200);
    }
    assert_eq!(count.of("hincrby"), 0, "{:?}", count.since());
    let before = metrics(&agent, &channel).await;
    assert_eq!((counts(&before), count.of("hincrby")), ([20, 20, 0, 0, 40, 20, 20, 0], 3));

    // What Redis did not take is counted later.
    let message = agent.post_message(&channel, "x").await;
    agent.claim(&message).await.ok(200);
    redis.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    agent.get(&format!("/v1/channels/{channel}/metrics")).await.refused(503, "storage_unavailable");
    redis.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert_eq!(metrics(&agent, &channel).await["claims"], 41);
    fleet.finish().await;
}
