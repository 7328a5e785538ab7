//! `GET /v1/observability/metrics`, `GET /v1/channels/{identifier}/metrics`

mod channel;

use std::cell::Cell;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::count::Count;
use crate::support::cut::Cut;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

async fn metrics(agent: &Agent) -> Value {
    agent.get("/v1/observability/metrics").await.ok(200)
}

#[tokio::test]
async fn a_key_is_told_what_it_has_and_did_on_all_replicas() {
    let fleet = Fleet::builder().env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1").start().await;
    let (agent, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let begin = metrics(&agent.on(0)).await;
    let names = ["channels_owned", "messages_in_owned_channels", "messages_claimed_in_owned_channels", "active_sessions"];
    for name in names.iter().chain(&["requests", "claims", "acks", "errors", "channels_counted"]) {
        assert_eq!(begin[name], 0, "{name}");
    }

    let (tasks, news) = (agent.on(0).channel("claimable").await, agent.on(1).channel("broadcast").await);
    let ids = [agent.post_message(&tasks, "one").await, agent.post_message(&tasks, "two").await, agent.post_message(&tasks, "three").await];
    agent.post_message(&news, "news").await;
    agent.post("/v1/sessions", json!({})).await.ok(201);
    worker.on(0).claim(&ids[0]).await.ok(200);
    worker.on(0).claim(&ids[0]).await.ok(200); // has it already: no claim
    worker.on(1).ack(&ids[0]).await.ok(200);
    worker.on(1).ack(&ids[0]).await.ok(200);
    agent.on(0).claim(&ids[0]).await.refused(409, "already_claimed");
    worker.on(1).claim_next(&tasks, json!({ "max": 5, "lease_seconds": 600 })).once("k").await.ok(200);
    worker.on(0).claim_next(&tasks, json!({ "max": 5, "lease_seconds": 600 })).once("k").await.ok(200); // a replay
    worker.on(1).claim_next(&tasks, json!({})).await.ok(200); // nothing there

    eventually("what both replicas counted is there", Duration::from_secs(20), || async {
        let (mine, theirs) = (metrics(&agent).await, metrics(&worker).await);
        let counts = |m: &Value| ["claims", "acks", "errors"].map(|name| m[name].as_u64().unwrap());
        mine["messages_in_owned_channels"] == 4 && counts(&mine) == [0, 0, 1] && counts(&theirs) == [3, 1, 0]
    })
    .await;
    let mine = metrics(&agent).await;
    let held = names.map(|name| mine[name].as_u64().unwrap());
    assert_eq!((held, &mine["channels_counted"]), ([2, 4, 3, 1], &json!(2)));
    assert!(mine["requests"].as_u64().unwrap() >= 9, "{mine}");
    assert_eq!(metrics(&worker).await["channels_owned"], 0);
    // Replicas that leave take nothing with them.
    let before = metrics(&worker.on(0)).await["requests"].as_u64().unwrap();
    worker.on(1).get("/v1/keys/me").await.ok(200);
    assert!(fleet.terminate(1).await.success());
    assert!(metrics(&worker.on(0)).await["requests"].as_u64().unwrap() >= before + 2);
    fleet.finish().await;
}

#[tokio::test]
async fn requests_cost_redis_nothing_more_for_being_counted() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).start().await;
    let agent = fleet.agent("owner").await;
    let channel = agent.channel("claimable").await;
    let count = Count::start(&redis);
    for _ in 0..50 {
        agent.post_message(&channel, "x").await;
    }
    assert_eq!(count.of("hincrby"), 0, "{:?}", count.since());
    let shown = metrics(&agent).await;
    assert_eq!((&shown["requests"], count.of("hincrby")), (&json!(51), 1));
    fleet.finish().await;
}

#[tokio::test]
async fn what_redis_did_not_take_is_counted_later() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1").start().await;
    let agent = fleet.agent("owner").await;
    redis.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    for _ in 0..7 {
        agent.get("/v1/keys/me").await.ok(200);
    }
    agent.get("/v1/observability/metrics").await.refused(503, "storage_unavailable");
    tokio::time::sleep(Duration::from_millis(1500)).await; // at least one flush is refused
    redis.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    // A flush may be on its way just now, and what it carries is seen by the next look; each look is a request, too.
    let looks = Cell::new(0);
    eventually("nothing is lost, and nothing counted twice", Duration::from_secs(20), || async {
        let shown = metrics(&agent).await;
        looks.set(looks.get() + 1);
        (&shown["requests"], &shown["errors"]) == (&json!(7 + looks.get()), &json!(1))
    })
    .await;
    fleet.finish().await;
}

/// A flush of many keys takes a while on a slow way; a replica that is told to leave meanwhile waits for it.
#[tokio::test]
async fn what_is_on_its_way_when_a_replica_leaves_is_counted() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let builder = Fleet::builder().redis(&redis).replicas(1).env("BACKCHANNEL_REDIS_URL", &cut.url());
    let fleet = builder.env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "3").start().await;
    let mut agents = Vec::new();
    for _ in 0..80 {
        agents.push(fleet.agent("agent").await);
    }
    let count = Count::start(&redis);
    cut.delay(Duration::from_millis(200));
    join_all(agents.iter().map(|agent| agent.get("/v1/keys/me").into_future())).await.into_iter().for_each(|reply| drop(reply.ok(200)));
    eventually("a flush has begun", Duration::from_secs(20), || async { count.of("hincrby") > 0 }).await;
    assert!(fleet.terminate(0).await.success());
    cut.delay(Duration::ZERO);
    fleet.restart(0).await;
    let shown = join_all(agents.iter().map(metrics)).await;
    assert!(shown.iter().all(|shown| shown["requests"] == 1), "{shown:?}");
    fleet.finish().await;
}
