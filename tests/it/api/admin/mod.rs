//! `/v1/admin/keys` and `/v1/admin/channels`: the operator's hand on what belongs to others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Ask;
use crate::support::fleet::Fleet;
use crate::support::process::unique;
use crate::support::wait::eventually;

const TOKEN: &str = "operator-token-7";

async fn with_operator() -> Fleet {
    Fleet::builder().env("BACKCHANNEL_ADMIN_TOKEN", TOKEN).start().await
}

fn as_operator(ask: Ask) -> Ask {
    ask.header("X-Admin-Token", TOKEN)
}

#[tokio::test]
async fn a_pause_holds_on_every_replica_at_once_and_only_posting_stops() {
    let fleet = with_operator().await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let alias = format!("alias-{}", unique());
    let channel = owner.channel_with(json!({ "name": "jobs", "mode": "claimable", "webhook_url": "https://example.invalid/" })).await;
    owner.post("/v1/channels/jobs/aliases", json!({ "alias": alias })).await.ok(201);
    let message = owner.post_message(&channel, "before").await;
    let set = |replica: usize, word: &str, what: &str| {
        as_operator(fleet.client_on(replica).post(&format!("/v1/admin/channels/{word}/{what}"), json!({})))
    };
    for (round, word) in [channel.as_str(), alias.as_str()].into_iter().enumerate() {
        let (here, there) = (round % 2, (round + 1) % 2);
        for _ in 0..2 {
            let paused = set(here, word, "pause").await.ok(200);
            assert_eq!((&paused["id"], &paused["paused"], &paused["webhook"]), (&json!(channel), &json!(true), &Value::Null));
        }
        let refused = owner.on(there).post_to(&channel, json!({ "content": "x" })).await.refused(503, "channel_paused");
        assert_eq!(refused["retry_after"], 30);
        assert_eq!(owner.on(there).get(&format!("/v1/channels/{channel}")).await.ok(200)["paused"], true);
        assert_eq!(worker.on(there).list(&channel, "").await.ok(200)["data"].as_array().map(Vec::len), Some(1 + round));
        assert_eq!(set(there, word, "resume").await.ok(200)["paused"], false);
        owner.on(here).post_message(&channel, "after").await;
    }
    worker.claim(&message).await.ok(200);
    // A name is its owner's affair.
    for word in ["jobs", "nothing", "ch_aaaaaaaaaaaaaaaaaaaa", &"x".repeat(201)] {
        for what in ["pause", "resume"] {
            set(0, word, what).await.refused(404, "channel_not_found");
        }
    }
    for what in ["pause", "resume"] {
        let path = format!("/v1/admin/channels/{channel}/{what}");
        owner.post(&path, json!({})).await.refused(401, "admin_unauthorized");
        owner.post(&path, json!({})).header("X-Admin-Token", "operator-token").await.refused(401, "admin_unauthorized");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn the_operator_issues_keys_while_minting_is_closed() {
    let fleet = with_operator().await;
    as_operator(fleet.client().post("/v1/admin/minting", json!({ "enabled": false }))).await.ok(200);
    let label = format!("prod-{}", unique());
    let issue = |replica: usize, body: Value| as_operator(fleet.client_on(replica).post("/v1/admin/keys", body));
    fleet.client().post("/v1/keys", json!({ "agent_label": label })).await.refused(403, "minting_closed");
    let issued = issue(0, json!({ "agent_label": label })).await.ok(201);
    assert_eq!((&issued["agent_label"], &issued["expires_at"]), (&json!(label), &Value::Null));
    let me = fleet.client_on(1).with_key(issued["key"].as_str().unwrap()).get("/v1/keys/me").await.ok(200);
    assert_eq!((&me["key_id"], &me["agent_label"]), (&issued["key_id"], &json!(label)));
    assert_eq!(issue(1, json!({ "agent_label": label })).await.refused(409, "label_in_use")["field"], "agent_label");
    issue(0, json!({})).await.refused(422, "missing_field");
    issue(0, json!({ "agent_label": "a\u{0}" })).await.refused(422, "invalid_string");
    fleet.client().post("/v1/admin/keys", json!({ "agent_label": unique() })).await.refused(401, "admin_unauthorized");
    fleet.finish().await;
}

#[tokio::test]
async fn a_key_that_the_operator_revokes_ends_on_every_replica() {
    let fleet = with_operator().await;
    let agent = fleet.agent("leaving").await;
    for replica in 0..2 {
        agent.on(replica).get("/v1/keys/me").await.ok(200); // known there
    }
    let revoke = |key: &str| as_operator(fleet.client_on(0).delete(&format!("/v1/admin/keys/{key}")));
    assert_eq!(revoke(&agent.key_id).await.ok(200), json!({ "key_id": agent.key_id, "revoked": true }));
    agent.on(0).get("/v1/keys/me").await.refused(401, "unauthorized");
    eventually("the other replica knows", Duration::from_secs(15), || async { agent.on(1).get("/v1/keys/me").await.status == 401 }).await;
    fleet.client().post("/v1/keys", json!({ "agent_label": agent.label })).await.ok(201); // its label is free
    for key in [agent.key_id.as_str(), "x", "bck_aaaaaaaaaaaaaaaaaaaaaaaaaa", agent.key.as_str()] {
        revoke(key).await.refused(404, "key_not_found");
    }
    let ask = fleet.client().delete(&format!("/v1/admin/keys/{}", agent.key_id));
    ask.await.refused(401, "admin_unauthorized");
    fleet.finish().await;
}

#[tokio::test]
async fn a_channel_that_the_operator_deletes_is_gone_with_its_names() {
    let fleet = with_operator().await;
    let owner = fleet.agent("owner").await;
    let alias = format!("alias-{}", unique());
    let channel = owner.channel_with(json!({ "name": "jobs", "mode": "claimable", "access": "restricted" })).await;
    owner.post("/v1/channels/jobs/aliases", json!({ "alias": alias })).await.ok(201);
    for word in ["jobs", &alias, &channel] {
        owner.on(1).get(&format!("/v1/channels/{word}")).await.ok(200); // known there
    }
    fleet.client().delete(&format!("/v1/admin/channels/{channel}")).await.refused(401, "admin_unauthorized");
    as_operator(fleet.client().delete("/v1/admin/channels/jobs")).await.refused(404, "channel_not_found");
    as_operator(fleet.client_on(0).delete(&format!("/v1/admin/channels/{alias}"))).await.ok(204);
    for word in ["jobs", &alias, &channel] {
        owner.on(0).get(&format!("/v1/channels/{word}")).await.refused(404, "channel_not_found");
        eventually("the other replica knows", Duration::from_secs(15), || async {
            owner.on(1).get(&format!("/v1/channels/{word}")).await.status == 404
        })
        .await;
    }
    as_operator(fleet.client().delete(&format!("/v1/admin/channels/{channel}"))).await.refused(404, "channel_not_found");
    assert_ne!(owner.channel_with(json!({ "name": "jobs", "mode": "claimable" })).await, channel, "its name is free");
    fleet.finish().await;
}
