//! `GET /v1/account/usage` and `GET /v1/admin/quotas`.

mod per_key;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::clock::not_at_midnight;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const TOKEN: &str = "operator-token-8";

#[tokio::test]
async fn a_key_sees_its_limits_and_what_it_uses_and_the_operator_sees_the_same() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_ADMIN_TOKEN", TOKEN)
        .env("BACKCHANNEL_RATE_LIMIT", "100")
        .env("BACKCHANNEL_RATE_LIMIT_WINDOW", "3600")
        .env("BACKCHANNEL_MAX_LEASES_PER_CHANNEL", "50")
        .env("BACKCHANNEL_MAX_BYTES_PER_CHANNEL", "1000000")
        .start()
        .await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    not_at_midnight().await;
    let tasks = owner.channel_with(json!({ "name": "tasks", "mode": "claimable" })).await;
    let closed = owner.restricted("broadcast").await;
    for n in 0..5 {
        owner.post_message(&tasks, &format!("task {n}")).await;
    }
    owner.post_message(&closed, &"x".repeat(5000)).await;
    worker.claim_next(&tasks, json!({ "lease_seconds": 600, "max": 2 })).await.ok(200);
    owner.post("/v1/channels/tasks/aliases", json!({ "alias": format!("alias-{tasks}") })).await.ok(201);
    owner.post(&format!("/v1/channels/{tasks}/members"), json!({ "key_id": worker.key_id })).await.ok(201);
    worker.post(&format!("/v1/channels/{closed}/access-requests"), json!({})).await.ok(202);
    owner.post(&format!("/v1/channels/{closed}/invitations"), json!({})).await.ok(201);
    owner.post("/v1/actors", json!({ "name": "second" })).await.ok(201);
    owner.post("/v1/sessions", json!({})).await.ok(201);

    let usage = owner.get("/v1/account/usage").await.ok(200);
    assert_eq!((&usage["plan"], &usage["key_id"], &usage["window_seconds"]), (&json!("free"), &json!(owner.key_id), &json!(3600)));
    let rows = [
        ("requests_per_window", json!(100), json!(14)),
        ("channels_per_key", json!(1000), json!(2)),
        ("actors_per_key", json!(1000), json!(2)),
        ("sessions_per_key", json!(100), json!(1)),
        ("waiters_per_key", json!(1000), json!(0)),
        ("members_per_channel", json!(1000), json!(2)),
        ("access_requests_per_channel", json!(100), json!(1)),
        ("invitations_per_channel", json!(100), json!(1)),
        ("aliases_per_channel", json!(20), json!(1)),
        ("messages_per_channel", json!(1_000_000), json!(5)),
        ("leases_per_channel", json!(50), json!(2)),
        ("leases_per_key", json!(100_000), json!(0)),
    ];
    for (name, limit, used) in rows {
        assert_eq!((&usage["limits"][name], &usage["used"][name]), (&limit, &used), "{name}");
    }
    let posted = usage["used"]["bytes_per_key_per_day"].as_u64().unwrap();
    assert_eq!((usage["limits"]["bytes_per_key_per_day"].as_u64(), posted > 5000), (Some(1 << 30), true), "{posted}");
    assert_eq!((usage["limits"]["bytes_per_key"].as_u64(), usage["used"]["bytes_per_key"].is_u64()), (Some(1 << 30), true));
    assert_eq!(worker.get("/v1/account/usage").await.ok(200)["used"]["leases_per_key"], 2);
    let (largest, all) = (usage["used"]["bytes_per_channel"].as_u64().unwrap(), usage["bytes_in_owned_channels"].as_u64().unwrap());
    assert!(largest > 5000 && all > largest, "{largest} of {all}");
    assert_eq!((&usage["limits"]["bytes_per_channel"], &usage["channels_counted"]), (&json!(1_000_000), &json!(2)));
    assert_eq!(worker.get("/v1/account/usage").await.ok(200)["used"]["channels_per_key"], 0);

    let quotas = |query: &str| fleet.client_on(0).get(&format!("/v1/admin/quotas{query}")).header("X-Admin-Token", TOKEN);
    eventually("a replica has looked at Redis", Duration::from_secs(15), || async {
        quotas("").await.ok(200)["instance"]["redis_bytes"].as_u64().unwrap() > 0
    })
    .await;
    let all = quotas("").await.ok(200);
    assert_eq!((&all["limits"], &all["key"]), (&usage["limits"], &Value::Null));
    assert_eq!((&all["instance"]["redis_bytes_limit"], &all["instance"]["waiters_limit"]), (&Value::Null, &json!(15_000)));
    let of_owner = quotas(&format!("?key_id={}", owner.key_id)).await.ok(200);
    assert_eq!((&of_owner["key"]["key_id"], &of_owner["key"]["agent_label"]), (&json!(owner.key_id), &json!(owner.label)));
    assert_eq!(of_owner["key"]["used"]["leases_per_channel"], 2);
    assert_eq!(quotas("?key_id=nonsense").await.refused(422, "invalid_key_id")["field"], "key_id");
    quotas("?key_id=bck_aaaaaaaaaaaaaaaabbbbbbbbbb").await.refused(404, "key_not_found");
    fleet.client().get("/v1/admin/quotas").await.refused(401, "admin_unauthorized");
    fleet.client().get("/v1/account/usage").await.refused(401, "unauthorized");
    fleet.finish().await;
}

#[tokio::test]
async fn in_a_cluster_the_fullest_node_is_seen() {
    let redis = RedisServer::cluster_mode();
    let fleet = Fleet::builder().redis(&redis).replicas(1).env("BACKCHANNEL_ADMIN_TOKEN", TOKEN).start().await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    agent.post_message(&id, "a task").await;
    assert_eq!(agent.get("/v1/account/usage").await.ok(200)["used"]["messages_per_channel"], 1);
    eventually("the replica has looked at Redis", Duration::from_secs(15), || async {
        let quotas = fleet.client().get("/v1/admin/quotas").header("X-Admin-Token", TOKEN).await.ok(200);
        quotas["instance"]["redis_bytes"].as_u64().unwrap() > 500_000
    })
    .await;
    fleet.finish().await;
}
