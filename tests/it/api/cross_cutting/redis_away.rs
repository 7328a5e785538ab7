//! While Redis is away a replica lives, says so, and is whole again without a restart.

use std::time::Duration;

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_replica_outlives_its_redis_and_is_whole_again_when_it_is_back() {
    let redis = RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    let agent = fleet.agent("patient").await;
    let channel = agent.channel("claimable").await;
    let before = agent.post_message(&channel, "before").await;

    redis.kill9();
    for replica in 0..2 {
        let client = fleet.client_on(replica);
        let agent = agent.on(replica);
        client.get("/livez").await.ok(200);
        client.get("/readyz").await.refused(503, "storage_unavailable");
        let health = client.get("/health").await.has_status(503);
        assert_eq!((&health.body["status"], &health.body["db_latency_ms"]), (&json!("degraded"), &json!(null)), "{}", health.body);
        assert_eq!((&health.body["api_version"], &health.body["public_minting_enabled"]), (&json!("1.0"), &json!(null)));
        assert!(health.body.get("version").is_none(), "the version is for /status");
        health.refused(503, "storage_unavailable");
        assert!(client.get("/metrics").await.has_status(200).text.contains("backchannel_redis_up 0"));
        let asks = [
            agent.get("/v1/keys/me"),
            agent.list(&channel, ""),
            agent.list(&channel, "wait=5"),
            agent.post_to(&channel, json!({ "content": "x" })),
            agent.claim(&before),
            agent.claim_next(&channel, json!({ "wait": 5 })),
            agent.post("/v1/channels", json!({ "name": "x", "mode": "claimable" })),
            client.post("/v1/keys", json!({ "agent_label": "meanwhile" })),
        ];
        // A key that was just checked is known for a second: then its own description needs no Redis.
        for (i, ask) in asks.into_iter().enumerate() {
            let reply = ask.await;
            if i == 0 && reply.status == 200 {
                continue;
            }
            reply.refused(503, "storage_unavailable");
        }
        // What needs no Redis goes on as ever.
        client.get("/nowhere").await.refused(404, "not_found");
        client.get("/v1/keys/me").await.refused(401, "unauthorized");
        client.get("/docs/errors.md").await.has_status(200);
    }

    redis.restart();
    for replica in 0..2 {
        let client = fleet.client_on(replica);
        eventually("ready again, without a restart", Duration::from_secs(20), || async { client.get("/readyz").await.status == 200 }).await;
        assert_eq!(client.get("/health").await.ok(200)["status"], "ok");
    }
    agent.on(0).claim(&before).await.ok(200);
    // Waking works again too, over replicas; who asks before its connection is back is told to ask again.
    eventually("wake-ups are heard again", Duration::from_secs(20), || async {
        fleet.metric(1, "backchannel_wake_up_connection_up").await == Some(1.0)
    })
    .await;
    let waiting = { tokio::spawn(agent.on(1).claim_next(&channel, json!({ "wait": 20 })).into_future()) };
    eventually("it waits", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
    let after = agent.on(0).post_message(&channel, "after").await;
    assert_eq!(waiting.await.unwrap().ok(200)["claimed"]["id"], after.as_str());
    assert_eq!(fleet.metric(0, "backchannel_redis_up").await, Some(1.0));
    fleet.finish().await;
}

#[tokio::test]
async fn a_short_trouble_of_redis_leaves_replicas_in_the_load_balancer() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().replicas(1).redis(&redis).env("BACKCHANNEL_UNREADY_AFTER_SECONDS", "12").start().await;
    let client = fleet.client();
    client.get("/startupz").await.ok(200);
    redis.kill9();
    let gone = std::time::Instant::now();
    client.get("/health").await.has_status(503);
    assert_eq!(client.get("/readyz").await.status, 200, "not for so short a time");
    eventually("unready after a while", Duration::from_secs(40), || async { client.get("/readyz").await.status == 503 }).await;
    // Counted from when it was reached last, which may be some seconds before that on a busy machine.
    assert!(gone.elapsed() >= Duration::from_secs(6), "the time that is set has passed: {:?}", gone.elapsed());
    assert_eq!(client.get("/startupz").await.status, 200, "it was reached once");
    redis.restart();
    eventually("ready again at once", Duration::from_secs(20), || async { client.get("/readyz").await.status == 200 }).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_replica_is_not_ready_on_a_redis_that_evicts() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().replicas(1).redis(&redis).start().await;
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let _: () = redis.run(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let client = fleet.client();
        eventually(policy, Duration::from_secs(15), || async { client.get("/readyz").await.status == 503 }).await;
        let refused = client.get("/readyz").await.refused(503, "storage_unavailable");
        assert!(refused["message"].as_str().unwrap().contains(policy), "it says why: {refused}");
        client.get("/livez").await.ok(200);
        let _: () = redis.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        eventually("ready again", Duration::from_secs(15), || async { client.get("/readyz").await.status == 200 }).await;
    }
    fleet.finish().await;
}
