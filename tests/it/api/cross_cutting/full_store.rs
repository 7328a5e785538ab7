//! Redis above the operator's share: what adds something is refused, what finishes or frees goes on.

use std::time::Duration;

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn above_its_share_of_memory_work_is_finished_and_none_is_added() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let (first, second) = (agent.post_message(&id, "one").await, agent.post_message(&id, "two").await);
    let filler = "x".repeat(1_000_000);
    for n in 0..60 {
        redis.run::<()>(&["SET", &format!("filler-{n}"), &filler]);
    }
    let used: String = redis.run(&["INFO", "memory"]);
    let used: u64 = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap();
    // More than nine tenths of what Redis allows, which itself would take some megabytes more.
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", &(used * 21 / 20).to_string()]);
    for replica in 0..2 {
        eventually("the replica has seen it", Duration::from_secs(20), || async {
            agent.on(replica).post_to(&id, json!({ "content": "x" })).await.body["error"] == "storage_full"
        })
        .await;
    }
    let before = agent.list(&id, "limit=100").await.ok(200)["data"].as_array().unwrap().len();
    for (path, body) in [
        (format!("/v1/channels/{id}/messages"), json!({ "content": "x" })),
        ("/v1/tasks/post".into(), json!({ "channel": id, "content": "x" })),
        ("/v1/channels".into(), json!({ "name": "new", "mode": "broadcast" })),
        ("/v1/sessions".into(), json!({})),
        ("/v1/actors".into(), json!({ "name": "new" })),
        (format!("/v1/channels/{id}/invitations"), json!({})),
        ("/v1/keys".into(), json!({ "agent_label": "new" })),
    ] {
        let reply = agent.post(&path, body).await;
        let header = reply.seconds("retry-after");
        let refused = reply.refused(503, "storage_full");
        assert_eq!((&refused["retry_after"], header), (&json!(5), Some(5)), "{path}");
    }
    let claimed = agent.claim_next(&id, json!({ "lease_seconds": 60 })).await.ok(200);
    assert_eq!(claimed["claimed"]["id"], first);
    agent.heartbeat(claimed["lease_token"].as_str().unwrap(), 60).await.ok(200);
    agent.ack(&first).await.ok(200);
    agent.delete(&format!("/v1/messages/{second}")).await.ok(200);
    agent.patch(&format!("/v1/channels/{id}"), json!({ "paused": false })).await.ok(200);
    assert_eq!(agent.list(&id, "limit=100").await.ok(200)["data"].as_array().unwrap().len(), before - 1);

    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    eventually("there is room again", Duration::from_secs(20), || async {
        agent.on(0).post_to(&id, json!({ "content": "x" })).await.status == 201
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn the_operator_may_name_the_share() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_REDIS_BYTES", "1").start().await;
    eventually("the replica has looked", Duration::from_secs(20), || async {
        fleet.client().post("/v1/keys", json!({ "agent_label": "" })).await.status == 422
            && fleet.client().post("/v1/keys", json!({ "agent_label": "new" })).await.status == 503
    })
    .await;
    fleet.finish().await;
}
