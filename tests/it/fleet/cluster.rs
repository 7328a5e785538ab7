//! The same over Redis Cluster.

mod slots;

use std::time::Duration;

use serde_json::json;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::process::unique;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(12);

#[tokio::test]
async fn a_handoff_works_on_a_cluster_like_anywhere() {
    let fleet = Fleet::builder().redis(&RedisServer::cluster_mode()).start().await;
    handoff(&fleet, "handoff").await;
    names_aliases_members(&fleet).await;
    fleet.finish().await;
}

/// Every operation on messages and claims, in one channel, from one replica to the other.
pub async fn handoff(fleet: &Fleet, name: &str) {
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let (poster, worker) = (poster.on(0), worker.on(1));
    let channel = poster.channel_with(json!({ "name": name, "mode": "claimable" })).await;

    // A reader and a claimer wait on the other replica.
    let reader = tokio::spawn({
        let ask = worker.list(&channel, "wait=25");
        async move { ask.await }
    });
    let claimer = tokio::spawn({
        let ask = worker.claim_next(&channel, json!({ "wait": 25, "lease_seconds": 60 }));
        async move { ask.await }
    });
    eventually("both wait", SOON, || async { fleet.metric(1, "backchannel_waiters").await == Some(2.0) }).await;
    let first = poster.post_message(&channel, "first").await;
    let page = tokio::time::timeout(SOON, reader).await.expect("the reader sleeps on").unwrap().ok(200);
    assert_eq!(page["data"][0]["id"], json!(first));
    let got = tokio::time::timeout(SOON, claimer).await.expect("the claimer sleeps on").unwrap().ok(200);
    let token = got["lease_token"].as_str().unwrap();
    assert_eq!(got["claimed"]["id"], json!(first));

    worker.heartbeat(token, 30).await.ok(200);
    poster.claim(&first).await.refused(409, "already_claimed");
    worker.release(&first).await.ok(200);
    worker.heartbeat(token, 30).await.refused(410, "lease_expired");
    let again = worker.claim_with_lease(&first, 60).await.ok(200);
    assert_eq!(again["attempt"], 2);
    let ack = json!({ "lease_token": again["lease_token"], "result": "what came out" });
    let waiter = tokio::spawn({
        let ask = poster.get(&format!("/v1/messages/{first}?wait=25"));
        async move { ask.await }
    });
    eventually("the poster waits", SOON, || async { fleet.metric(0, "backchannel_waiters").await == Some(1.0) }).await;
    tokio::time::sleep(Duration::from_millis(100)).await; // counted a moment before it has subscribed
    assert_eq!(worker.post(&format!("/v1/messages/{first}/ack"), ack).await.ok(200)["status"], "acknowledged");

    let receipt = tokio::time::timeout(SOON, waiter).await.expect("the poster sleeps on").unwrap().ok(200);
    assert_eq!((&receipt["state"], &receipt["result"]), (&json!("done"), &json!("what came out")));
    assert_eq!(poster.get(&format!("/v1/channels/{channel}/metrics")).await.ok(200)["messages"], 1);

    // With an Idempotency-Key by name: the pin is in the key's slot, the record in the channel's.
    let task = json!({ "channel": name, "content": "second" });
    let posted = poster.post("/v1/tasks/post", task.clone()).once("once").await.has_status(201);
    assert!(!posted.is_replay() && poster.post("/v1/tasks/post", task).once("once").await.has_status(201).is_replay());
    let second = posted.body["message"]["id"].as_str().unwrap();
    let subscribed = worker.post("/v1/tasks/subscribe", json!({ "channel": channel, "cursor": page["next_cursor"] })).await.ok(200);
    assert_eq!(subscribed["data"][0]["id"], json!(second));
    assert_eq!(worker.list(&channel, "status=unclaimed").await.ok(200)["data"][0]["id"], json!(second));
    assert_eq!(worker.list(&channel, "status=claimed").await.ok(200)["data"][0]["id"], json!(first));
    assert_eq!(poster.delete(&format!("/v1/messages/{second}")).await.ok(200)["status"], "retracted");

    poster.patch(&format!("/v1/channels/{channel}"), json!({ "description": "d" })).await.ok(200);
    worker.get(&format!("/v1/channels/{channel}/history")).await.ok(200);
    poster.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    worker.list(&channel, "wait=5").await.refused(404, "channel_not_found");
    worker.claim(&first).await.refused(404, "message_not_found");
}

/// What needs more than one slot.
pub async fn names_aliases_members(fleet: &Fleet) {
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    let made = owner.post("/v1/tasks/post", json!({ "channel": "jobs", "content": "a task" })).await.ok(201);
    let channel = made["channel"].as_str().unwrap().to_owned();
    let again = owner.post("/v1/channels", json!({ "name": "jobs", "mode": "claimable" })).await.ok(200);
    assert_eq!((&again["id"], &again["created"]), (&json!(channel), &json!(false)));
    let alias = format!("jobs-{}", unique());
    owner.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": alias })).await.has_status(201);
    let other = owner.channel("broadcast").await;
    owner.post(&format!("/v1/channels/{other}/aliases"), json!({ "alias": alias })).await.refused(409, "alias_conflict");
    assert_eq!(member.get(&format!("/v1/channels/{alias}")).await.ok(200)["id"], json!(channel));
    owner.post("/v1/tasks/broadcast", json!({ "channel": other, "content": "news" })).await.ok(201);

    owner.patch(&format!("/v1/channels/{channel}"), json!({ "access": "restricted" })).await.ok(200);
    member.claim_next(&channel, json!({})).await.refused(403, "channel_access_denied");
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.has_status(201);
    assert_eq!(owner.get(&format!("/v1/channels/{channel}/members")).await.ok(200)["data"].as_array().map(Vec::len), Some(2));
    let got = member.claim_next(&alias, json!({ "actor": "helper" })).await.ok(200);
    assert_eq!(got["claimed"]["claimed_by"]["name"], "helper");
    owner.delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.has_status(200);
    member.ack(got["claimed"]["id"].as_str().unwrap()).await.refused(403, "channel_access_denied");
    let asked = member.post(&format!("/v1/channels/{channel}/access-requests"), json!({})).await.ok(202);
    let approve = format!("/v1/channels/{channel}/access-requests/{}/approve", asked["request_id"].as_str().unwrap());
    owner.post(&approve, json!({})).await.ok(200);
    member.delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.has_status(200);
    let invitation = owner.post(&format!("/v1/channels/{channel}/invitations"), json!({})).await.ok(201);
    let invitation = format!("/v1/channel-invitations/{}", invitation["id"].as_str().unwrap());
    assert_eq!(member.get(&invitation).await.ok(200)["channel"]["id"], json!(channel));
    owner.delete(&invitation).await.ok(200);
    member.list(&channel, "").await.ok(200);
    assert_eq!(owner.get(&format!("/v1/channels/{channel}/events")).await.ok(200)["data"].as_array().map(Vec::len), Some(6));
    for (who, query) in [(&member, ""), (&owner, "?owned=true")] {
        let found = who.get(&format!("/v1/channels{query}")).await.ok(200);
        assert!(found["data"].as_array().unwrap().iter().any(|c| c["id"] == json!(channel) && c["is_member"] == true), "{found}");
    }
    owner.delete(&format!("/v1/channels/{channel}/aliases/{alias}")).await.ok(200);
    owner.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": alias })).await.has_status(201);
    owner.patch(&format!("/v1/channels/{channel}"), json!({ "name": "renamed" })).await.ok(200);
    assert_eq!(owner.get("/v1/channels/renamed").await.ok(200)["id"], json!(channel));
    gone(&owner, "jobs").await;
    owner.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    gone(&owner, &alias).await;

    member.put("/v1/keys/me/scopes", json!({ "scopes": ["messages:read"] })).await.ok(200);
    member.delete("/v1/keys/me").await.ok(200);
    // A replica may remember a key for a second, where it is told late that it was revoked.
    for replica in 0..2 {
        eventually("the key is refused", SOON, || async { member.on(replica).get("/v1/keys/me").await.status == 401 }).await;
        member.on(replica).get("/v1/keys/me").await.refused(401, "unauthorized");
    }
}

/// A replica may remember where a name led for a second.
async fn gone(agent: &Agent, word: &str) {
    eventually("the word leads nowhere", SOON, || async {
        let reply = agent.get(&format!("/v1/channels/{word}")).await;
        reply.status == 404 && reply.body["error"] == "channel_not_found"
    })
    .await;
}
