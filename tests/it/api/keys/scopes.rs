//! `PUT /v1/keys/me/scopes`: a key gives rights up and never gets them back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

const ALL: [&str; 7] =
    ["channels:manage", "channels:read", "channels:write", "messages:ack", "messages:claim", "messages:read", "messages:write"];

#[tokio::test]
async fn scopes_only_narrow() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("narrow").await;
    let set = |scopes: Value| agent.put("/v1/keys/me/scopes", json!({ "scopes": scopes }));

    // Nonsense changes nothing.
    for (scopes, code) in [
        (json!("messages:read"), "invalid_scopes"),
        (json!(7), "invalid_scopes"),
        (json!({ "0": "messages:read" }), "invalid_scopes"),
        (json!([1]), "invalid_scopes"),
        (json!([null]), "invalid_scopes"),
        (json!([["messages:read"]]), "invalid_scopes"),
        (json!(null), "invalid_scopes"),
        (json!(vec!["messages:read"; 101]), "invalid_scopes"),
        (json!(["messages:read", "messages:everything"]), "invalid_scope"),
        (json!([""]), "invalid_scope"),
        (json!(["messages:read,messages:write"]), "invalid_scope"),
        (json!(["MESSAGES:READ"]), "invalid_scope"),
    ] {
        assert_eq!(set(scopes.clone()).await.refused(422, code)["field"], "scopes", "{scopes}");
    }
    agent.put("/v1/keys/me/scopes", json!({})).await.refused(422, "invalid_scopes");
    assert_eq!(agent.get("/v1/keys/me").await.ok(200)["scopes"], Value::Null);

    // Sorted, each once, and seen by every replica.
    let mut backwards: Vec<&str> = ALL.iter().rev().copied().collect();
    backwards.push("messages:read");
    assert_eq!(set(json!(backwards)).await.ok(200), json!({ "key_id": agent.key_id, "scopes": ALL }));
    everywhere(&agent, &json!(ALL)).await;
    let two = json!(["messages:claim", "messages:read"]);
    assert_eq!(set(json!(["messages:read", "messages:claim"])).await.ok(200)["scopes"], two);
    let refused = set(json!(["messages:read", "messages:write"])).await.refused(422, "invalid_scope");
    assert_eq!((&refused["field"], &refused["scope"]), (&json!("scopes"), &json!("messages:write")), "{refused}");
    assert_eq!(refused["allowed"], two);
    everywhere(&agent, &two).await;

    // A retry is told what the first try was told.
    let first = set(json!(["messages:read"])).once("narrow-1").await.has_status(200);
    let again = set(json!(["messages:read"])).once("narrow-1").await.has_status(200);
    assert!(!first.is_replay() && again.is_replay() && first.body == again.body);
    set(json!([])).once("narrow-1").await.refused(422, "idempotency_key_reused");

    // Nothing at all: it can still say who it is, and end itself.
    assert_eq!(set(json!([])).await.ok(200)["scopes"], json!([]));
    set(json!(["messages:read"])).await.refused(422, "invalid_scope");
    everywhere(&agent, &json!([])).await;
    agent.delete("/v1/keys/me").await.ok(200);
    fleet.finish().await;
}

/// Every replica says so within a second, the longest that one may remember a key without asking; the rest is for a busy machine.
async fn everywhere(agent: &Agent, scopes: &Value) {
    for replica in 0..2 {
        let what = format!("replica {replica} knows the scopes {scopes}");
        eventually(
            &what,
            Duration::from_secs(10),
            || async move { &agent.on(replica).get("/v1/keys/me").await.ok(200)["scopes"] == scopes },
        )
        .await;
    }
}
