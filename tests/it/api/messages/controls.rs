//! What a channel's owner sets and posts obey: pausing, and what a ring drops.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;
use crate::support::wait::eventually;

fn contents(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_paused_channel_takes_no_messages_and_does_everything_else() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let id = owner.channel("claimable").await;
    let (first, second) = (owner.post_message(&id, "one").await, owner.post_message(&id, "two").await);
    let path = format!("/v1/channels/{id}");
    assert_eq!(owner.on(0).patch(&path, json!({ "paused": true })).await.ok(200)["paused"], true);
    for ask in [
        worker.on(1).post_to(&id, json!({ "content": "x" })),
        worker.on(1).post("/v1/tasks/post", json!({ "channel": id, "content": "x" })),
        worker.on(1).post("/v1/tasks/broadcast", json!({ "channel": id, "content": "x" })),
        worker.on(1).post("/v1/tasks/post-with-result", json!({ "channel": id, "content": "x" })),
        owner.on(1).post_to(&id, json!({ "content": "x" })),
    ] {
        let reply = ask.await;
        assert_eq!(reply.seconds("retry-after"), Some(30));
        assert_eq!(reply.refused(503, "channel_paused")["retry_after"], 30);
    }
    let claimed = worker.claim_next(&id, json!({ "lease_seconds": 60 })).await.ok(200);
    assert_eq!(claimed["claimed"]["id"], first);
    worker.heartbeat(claimed["lease_token"].as_str().unwrap(), 60).await.ok(200);
    worker.ack(&first).await.ok(200);
    worker.claim(&second).await.ok(200);
    worker.release(&second).await.ok(200);
    assert_eq!(contents(&worker.list(&id, "").await.ok(200)), ["one", "two"]);
    owner.delete(&format!("/v1/messages/{second}")).await.ok(200);
    owner.on(1).patch(&path, json!({ "paused": false })).await.ok(200);
    worker.on(0).post_to(&id, json!({ "content": "three" })).await.ok(201);
    fleet.finish().await;
}

#[tokio::test]
async fn what_a_ring_drops_is_in_no_history() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MIN_TTL_SECONDS", "1").start().await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "broadcast", "max_messages": 3, "ttl_seconds": 600 })).await;
    for n in 1..=5 {
        owner.post_message(&id, &n.to_string()).await;
    }
    assert_eq!(contents(&owner.list(&id, "").await.ok(200)), ["3", "4", "5"]);
    set_of_channel(fleet.redis(), &format!("{}{{{id}}}:meta", fleet.prefix()), "ttl", "1");
    let history = || async { owner.get(&format!("/v1/channels/{id}/history?limit=100")).await.ok(200) };
    eventually("all that is left has expired", Duration::from_secs(20), || async {
        history().await["data"].as_array().unwrap().len() >= 3
    })
    .await;
    assert_eq!(contents(&history().await), ["5", "4", "3"], "newest first, and nothing that was dropped");
    // The ring counts the history too.
    owner.post_message(&id, "6").await;
    let (live, past) = (owner.list(&id, "").await.ok(200), history().await);
    let (live, mut past) = (contents(&live), contents(&past));
    assert!(live == ["6"] || past.first() == Some(&"6"), "it may have expired meanwhile: {live:?} {past:?}");
    past.retain(|content| *content != "6");
    assert_eq!(past, ["5", "4"]);
    fleet.finish().await;
}
