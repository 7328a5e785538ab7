//! What one key may have at one instant, over two replicas.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

async fn used(agent: &Agent, replica: usize, name: &str) -> u64 {
    agent.on(replica).get("/v1/account/usage").await.ok(200)["used"][name].as_u64().unwrap()
}

#[tokio::test]
async fn leases_of_one_replica_count_on_another_and_end_on_any() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_LEASES_PER_KEY", "10").env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1").start().await;
    let (worker, watcher) = (fleet.agent("worker").await, fleet.agent("watcher").await);
    let id = watcher.channel("claimable").await;
    for n in 0..30 {
        watcher.post_message(&id, &format!("task {n}")).await;
    }
    let claim = |replica: usize, max: u64| worker.on(replica).claim_next(&id, json!({ "lease_seconds": 300, "max": max }));
    let got = claim(0, 10).await.ok(200);
    let all: Vec<String> = got["claims"].as_array().unwrap().iter().map(|c| c["message"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(all.len(), 10);
    // A replica grants a tenth of the limit before it asks: one. What the other one granted, it hears with the flush.
    let mut over = Vec::new();
    // Asked seldom, so that a flush that comes late on a busy machine does not let it grant many.
    eventually("the other replica refuses", Duration::from_secs(60), || {
        let ask = claim(1, 1);
        async move {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            ask.await.status == 409
        }
    })
    .await;
    let claimed = watcher.list(&id, "status=claimed&limit=100").await.ok(200);
    for message in claimed["data"].as_array().unwrap() {
        let message = message["id"].as_str().unwrap().to_owned();
        if !all.contains(&message) {
            over.push(message);
        }
    }
    assert!(over.len() <= 5, "{} more than it may", over.len());
    for message in all.iter().chain(&over) {
        worker.on(1).ack(message).await.ok(200);
    }
    eventually("ends are heard of", Duration::from_secs(30), || async { used(&worker, 0, "leases_per_key").await == 0 }).await;
    // Taken here and done there, in whatever order the replicas tell of it: nothing is left of it.
    for n in 0..10 {
        let got = claim(n % 2, 1).await.ok(200);
        worker.on((n + 1) % 2).ack(got["claimed"]["id"].as_str().unwrap()).await.ok(200);
    }
    for replica in 0..2 {
        eventually("none is left", Duration::from_secs(30), || async { used(&worker, replica, "leases_per_key").await == 0 }).await;
    }
    fleet.finish().await;
}

#[tokio::test]
async fn what_one_replica_has_seen_refuses_posts_on_another() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_MAX_BYTES_PER_KEY", "200000")
        .env("BACKCHANNEL_MAX_MESSAGE_BYTES", "40000")
        .env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1")
        .start()
        .await;
    let (owner, poster) = (fleet.agent("owner").await, fleet.agent("poster").await);
    let (id, other) = (owner.channel("broadcast").await, poster.channel("broadcast").await);
    let long = || json!({ "content": "x".repeat(40_000) });
    eventually("one replica has seen enough", Duration::from_secs(20), || async { poster.on(0).post_to(&id, long()).await.status == 409 })
        .await;
    let refusal = poster.on(1).post_to(&id, json!({ "content": "x" })).await.refused(409, "quota_exceeded");
    assert_eq!((&refusal["limit"], &refusal["value"]), (&json!("bytes_per_key"), &json!(200_000)));
    assert!(used(&owner, 1, "bytes_per_key").await >= 200_000);
    poster.on(1).post_to(&other, long()).await.ok(201);
    owner.on(1).delete(&format!("/v1/channels/{id}")).await.ok(204);
    assert_eq!(used(&owner, 0, "bytes_per_key").await, 0);
    let id = owner.channel("broadcast").await;
    poster.on(0).post_to(&id, long()).await.ok(201);
    fleet.finish().await;
}
