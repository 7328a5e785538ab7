//! `/v1/channels/{id}/access-requests`

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

fn ask(agent: &Agent, channel: &str, reason: &str) -> Ask {
    agent.post(&format!("/v1/channels/{channel}/access-requests"), json!({ "reason": reason }))
}

fn answer(agent: &Agent, channel: &str, request: &Value, verb: &str) -> Ask {
    agent.post(&format!("/v1/channels/{channel}/access-requests/{}/{verb}", request["request_id"].as_str().unwrap()), json!({}))
}

async fn waiting(owner: &Agent, channel: &str) -> Vec<Value> {
    owner.get(&format!("/v1/channels/{channel}/access-requests")).await.ok(200)["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_finds_a_restricted_channel_asks_and_is_let_in_by_its_owner() {
    let fleet = Fleet::start(2).await;
    let (owner, worker, second) = (fleet.agent("owner").await, fleet.agent("worker").await, fleet.agent("second").await);
    let id = owner.channel_with(json!({ "mode": "claimable", "access": "restricted", "discoverable": true })).await;
    let found = worker.get("/v1/channels").await.ok(200);
    assert_eq!((&found["data"][0]["id"], &found["data"][0]["is_member"]), (&json!(id), &json!(false)));
    worker.list(&id, "").await.refused(403, "channel_access_denied");

    let asked = ask(&worker, &id, " I run the worker ").await.ok(202);
    assert_eq!(asked["status"], "pending");
    assert_eq!(ask(&worker, &id, "again").await.ok(202), asked, "the same one");
    let second_asked = ask(&second, &id, "").await.ok(202);
    assert_ne!(second_asked["request_id"], asked["request_id"]);

    let list = waiting(&owner, &id).await;
    assert_eq!(list.len(), 2, "the longest waiting first");
    let fields = ["request_id", "channel_id", "requester_key_id", "requester_label", "reason", "status"].map(|f| list[0][f].clone());
    let expected =
        [asked["request_id"].clone(), json!(id), json!(worker.key_id), json!(worker.label), json!("I run the worker"), json!("pending")];
    assert_eq!(fields, expected);
    assert_eq!(list[1]["requester_key_id"], json!(second.key_id));

    let approved = answer(&owner, &id, &asked, "approve").await.ok(200);
    let expected = json!({ "status": "approved", "request_id": asked["request_id"], "requester_key_id": worker.key_id });
    assert_eq!(approved, expected);
    for replica in 0..2 {
        worker.on(replica).list(&id, "").await.ok(200);
    }
    assert_eq!(ask(&worker, &id, "").await.ok(200), json!({ "status": "already_member" }));
    for verb in ["approve", "deny"] {
        assert_eq!(answer(&owner, &id, &asked, verb).await.refused(409, "access_request_resolved")["status"], "approved");
    }

    assert_eq!(answer(&owner, &id, &second_asked, "deny").await.ok(200)["status"], "denied");
    assert_eq!(answer(&owner, &id, &second_asked, "approve").await.refused(409, "access_request_resolved")["status"], "denied");
    second.list(&id, "").await.refused(403, "channel_access_denied");
    let third = ask(&second, &id, "please").await.ok(202);
    assert_ne!(third["request_id"], second_asked["request_id"], "who was denied may ask again");
    assert_eq!(waiting(&owner, &id).await.len(), 1);
    fleet.finish().await;
}

#[tokio::test]
async fn nobody_needs_to_ask_for_what_is_open_and_only_the_owner_answers() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_ACCESS_REQUESTS_PER_CHANNEL", "1").start().await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let (open, restricted) = (owner.channel("broadcast").await, owner.restricted("claimable").await);
    assert_eq!(ask(&stranger, &open, "").await.ok(200), json!({ "status": "open" }));
    assert_eq!(ask(&owner, &restricted, "").await.ok(200), json!({ "status": "already_member" }));
    owner.post(&format!("/v1/channels/{restricted}/members"), json!({ "key_id": member.key_id })).await.ok(201);

    let long = ask(&stranger, &restricted, &"x".repeat(1001)).await;
    assert_eq!(long.refused(422, "invalid_string")["field"], "reason");
    let wrong = stranger.post(&format!("/v1/channels/{restricted}/access-requests"), json!({ "reason": 1 }));
    assert_eq!(wrong.await.refused(422, "invalid_string")["field"], "reason");
    let asked = stranger.post(&format!("/v1/channels/{restricted}/access-requests"), json!({})).await.ok(202);
    let full = ask(&fleet.agent("late").await, &restricted, "").await.refused(409, "quota_exceeded");
    assert_eq!((&full["limit"], &full["value"]), (&json!("access_requests_per_channel"), &json!(1)));

    for (who, code) in [(&member, "forbidden"), (&stranger, "channel_access_denied")] {
        who.get(&format!("/v1/channels/{restricted}/access-requests")).await.refused(403, code);
        answer(who, &restricted, &asked, "approve").await.refused(403, code);
        answer(who, &restricted, &asked, "deny").await.refused(403, code);
    }
    for unknown in ["nonsense", "acr_abcdefghijklmnop23456723452345672345"] {
        answer(&owner, &restricted, &json!({ "request_id": unknown }), "approve").await.refused(404, "access_request_not_found");
        answer(&owner, &restricted, &json!({ "request_id": unknown }), "deny").await.refused(404, "access_request_not_found");
    }
    answer(&owner, &open, &asked, "approve").await.refused(404, "access_request_not_found");
    ask(&stranger, "nowhere", "").await.refused(404, "channel_not_found");
    owner.get("/v1/channels/nowhere/access-requests").await.refused(404, "channel_not_found");

    // With the channel its requests are gone.
    owner.delete(&format!("/v1/channels/{restricted}")).await.ok(204);
    answer(&owner, &restricted, &asked, "approve").await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn a_full_channel_takes_in_nobody_and_the_request_goes_on_waiting() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_MEMBERS_PER_CHANNEL", "1").start().await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let id = owner.restricted("claimable").await;
    let asked = ask(&worker, &id, "").await.ok(202);
    assert_eq!(answer(&owner, &id, &asked, "approve").await.refused(409, "quota_exceeded")["limit"], "members_per_channel");
    assert_eq!(waiting(&owner, &id).await.len(), 1);
    fleet.finish().await;
}
