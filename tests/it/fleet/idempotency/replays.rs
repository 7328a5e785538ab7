//! Every mutating operation, sent twice.

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::keyspace;
use crate::support::reply::Reply;

/// The keyspace but for announcements: that a key may change is said before the replica learns that it is a replay.
fn state(fleet: &Fleet) -> String {
    let all = keyspace::dump(fleet.redis(), &format!("{}*", fleet.prefix()));
    let announcements = format!("{}{{fleet}}:changes ", fleet.prefix());
    let mut skipped = false;
    let kept = all.lines().filter(|line| {
        skipped = line.starts_with(&announcements) || skipped && line.starts_with(' ');
        !skipped
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// Sends a write to one replica and its retry to the other; the first answer.
/// `other` is another body that the operation would take.
async fn twice(fleet: &Fleet, what: &str, other: Value, ask: impl Fn() -> Ask) -> Reply {
    let key = format!("key of {what}");
    let first = ask().once(&key).on(0).await;
    assert!(first.status < 300 && !first.is_replay(), "{what}: {} {}", first.status, first.text);
    assert_eq!((first.header("idempotency-key"), first.header("x-idempotency-source")), (None, None), "{what}");
    let before = state(fleet);
    let again = ask().once(&key).on(1).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text), "{what}");
    assert!(again.is_replay(), "{what}: {:#?}", again.headers);
    assert_eq!(again.header("x-idempotency-source"), Some("client"), "{what}");
    assert_eq!(again.header("idempotency-key"), Some(key.as_str()), "{what}");
    assert_eq!(state(fleet), before, "{what}: a replay has no effect");
    ask().json(&other).once(&key).await.refused(422, "idempotency_key_reused");
    assert_eq!(state(fleet), before, "{what}: another body has no effect");
    first
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

#[tokio::test]
async fn a_repeated_write_on_channels_members_and_actors_is_answered_as_before_and_done_once() {
    // One base URL, as behind a load balancer: an invitation's answer shows it.
    let fleet = Fleet::builder().env("BACKCHANNEL_BASE_URL", "https://bus.example").start().await;
    let (agent, member) = (fleet.agent("agent").await, fleet.agent("member").await);
    let made = twice(&fleet, "create channel", json!({ "name": "jobs", "mode": "claimable", "paused": true }), || {
        agent.post("/v1/channels", json!({ "name": "jobs", "mode": "claimable" }))
    })
    .await;
    assert_eq!(made.body["created"], true, "also for the retry");
    let path = format!("/v1/channels/{}", text(&made.body["id"]));
    twice(&fleet, "find channel", json!({ "name": "jobs", "mode": "claimable", "paused": false }), || {
        agent.post("/v1/channels", json!({ "name": "jobs", "mode": "claimable", "paused": true }))
    })
    .await;
    twice(&fleet, "patch", json!({ "description": "e" }), || agent.patch(&path, json!({ "description": "d", "access": "restricted" })))
        .await;
    twice(&fleet, "rename", json!({ "name": "other" }), || agent.patch(&path, json!({ "name": "renamed" }))).await;
    twice(&fleet, "rename by name", json!({ "name": "other" }), || agent.patch("/v1/channels/renamed", json!({ "name": "again" }))).await;
    twice(&fleet, "alias", json!({ "alias": "b" }), || agent.post(&format!("{path}/aliases"), json!({ "alias": "a" }))).await;
    twice(&fleet, "add member", json!({ "key_id": agent.key_id }), || {
        agent.post(&format!("{path}/members"), json!({ "key_id": member.key_id }))
    })
    .await;
    twice(&fleet, "remove member", json!({ "x": 1 }), || agent.delete(&format!("{path}/members/{}", member.key_id))).await;
    twice(&fleet, "drop alias", json!({ "x": 1 }), || agent.delete(&format!("{path}/aliases/a"))).await;
    twice(&fleet, "ask for access", json!({ "reason": "y" }), || member.post(&format!("{path}/access-requests"), json!({ "reason": "x" })))
        .await;
    for (verb, again) in [("deny", true), ("approve", false)] {
        let asked = member.post(&format!("{path}/access-requests"), json!({})).await.ok(202);
        let answer = format!("{path}/access-requests/{}/{verb}", text(&asked["request_id"]));
        twice(&fleet, verb, json!({ "x": 1 }), || agent.post(&answer, json!({}))).await;
        assert_eq!(member.post(&format!("{path}/access-requests"), json!({})).await.status == 202, again, "{verb}");
    }
    twice(&fleet, "leave", json!({ "x": 1 }), || member.delete(&format!("{path}/members/{}", member.key_id))).await;
    let invited = twice(&fleet, "invite", json!({ "x": 1 }), || agent.post(&format!("{path}/invitations"), json!({}))).await;
    let invitation = format!("/v1/channel-invitations/{}", text(&invited.body["id"]));
    twice(&fleet, "revoke invitation", json!({ "x": 1 }), || agent.delete(&invitation)).await;
    twice(&fleet, "session", json!({ "name": "x" }), || agent.post("/v1/tasks/create-claimable-session", json!({}))).await;
    twice(&fleet, "actor", json!({ "name": "x" }), || agent.post("/v1/actors", json!({ "name": "worker" }))).await;
    twice(&fleet, "known actor", json!({ "name": "x" }), || agent.post("/v1/actors", json!({ "name": "worker", "description": "d" })))
        .await;
    twice(&fleet, "delete channel", json!({ "x": 1 }), || agent.delete("/v1/channels/again")).await;
    twice(&fleet, "scopes", json!({ "scopes": [] }), || agent.put("/v1/keys/me/scopes", json!({ "scopes": ["messages:read"] }))).await;
    // A revoked key gets no answer any more, not even that one; it is revoked once.
    agent.delete("/v1/keys/me").once("r").on(0).await.ok(200);
    agent.delete("/v1/keys/me").once("r").on(1).await.refused(401, "unauthorized");
    fleet.finish().await;
}

#[tokio::test]
async fn a_repeated_write_on_messages_and_claims_is_answered_as_before_and_done_once() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let path = format!("/v1/channels/{id}/messages");
    let posted =
        twice(&fleet, "post", json!({ "content": "y" }), || agent.post(&path, json!({ "content": "x", "metadata": { "a": 1.0 } }))).await;
    let message = text(&posted.body["message"]["id"]);
    twice(&fleet, "retract", json!({ "x": 1 }), || agent.delete(&format!("/v1/messages/{message}"))).await;

    let task = json!({ "channel": "made on the fly", "content": "x" });
    let posted =
        twice(&fleet, "task post", json!({ "channel": "made on the fly", "content": "y" }), || agent.post("/v1/tasks/post", task.clone()))
            .await;
    let on_the_fly = text(&posted.body["channel"]);
    assert_eq!(agent.list(&on_the_fly, "").await.ok(200)["data"].as_array().unwrap().len(), 1);
    twice(&fleet, "task broadcast", json!({ "channel": on_the_fly, "content": "z" }), || {
        agent.post("/v1/tasks/broadcast", json!({ "channel": on_the_fly, "content": "y" }))
    })
    .await;

    let message = text(&posted.body["message"]["id"]);
    let act = |verb: &str, body: Value| agent.post(&format!("/v1/messages/{message}/{verb}"), body);
    assert_eq!(twice(&fleet, "claim", json!({ "x": 1 }), || act("claim", json!({}))).await.body["status"], "claimed");
    twice(&fleet, "release", json!({ "x": 1 }), || act("release", json!({}))).await;
    let leased =
        twice(&fleet, "claim with lease", json!({ "lease_seconds": 61 }), || act("claim-with-lease", json!({ "lease_seconds": 60 }))).await;
    let lease = text(&leased.body["lease_token"]);
    twice(&fleet, "heartbeat", json!({ "lease_seconds": 91 }), || agent.heartbeat(&lease, 90)).await;
    assert_eq!(twice(&fleet, "ack", json!({}), || act("ack", json!({ "lease_token": lease }))).await.body["status"], "acknowledged");
    let next = json!({ "channel": on_the_fly, "lease_seconds": 60, "max": 2 });
    let got = twice(&fleet, "task claim", json!({ "channel": on_the_fly, "max": 3 }), || agent.post("/v1/tasks/claim", next.clone())).await;
    assert_eq!(got.body["claims"].as_array().unwrap().len(), 1);

    let shown = agent.post_message(&agent.channel("broadcast").await, "x").await;
    twice(&fleet, "ack of a broadcast", json!({ "x": 1 }), || agent.ack(&shown)).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_claim_is_replayed_only_while_it_is_the_current_one() {
    let fleet = Fleet::start(2).await;
    let (agent, other) = (fleet.agent("agent").await, fleet.agent("other").await);
    let id = agent.channel("claimable").await;
    let message = agent.post_message(&id, "x").await;
    let claim = |who: &Agent| who.claim_with_lease(&message, 60).once("k");
    let first = claim(&agent).on(0).await.ok(200);
    agent.release(&message).await.ok(200);
    let second = claim(&agent).on(1).await.has_status(200);
    assert!(!second.is_replay(), "decided anew");
    assert_eq!((&second.body["status"], &second.body["attempt"]), (&json!("claimed"), &json!(2)));
    assert_ne!(second.body["lease_token"], first["lease_token"]);
    assert!(claim(&agent).on(0).await.has_status(200).is_replay(), "and that is what is replayed now");
    agent.release(&message).await.ok(200);
    other.claim(&message).await.ok(200);
    claim(&agent).await.refused(409, "already_claimed");
    other.release(&message).await.ok(200);

    let next = |who: &Agent| who.claim_next(&id, json!({ "lease_seconds": 60 })).once("n");
    let first = next(&agent).on(0).await.ok(200);
    assert!(next(&agent).on(1).await.has_status(200).is_replay());
    agent.ack(&message).await.ok(200);
    assert_eq!(next(&agent).on(1).await.ok(200)["claimed"], Value::Null, "it is done: there is nothing to do");
    let fresh = agent.post_message(&id, "y").await;
    let got = next(&agent).on(0).await.has_status(200);
    assert!(!got.is_replay() && got.body["claimed"]["id"] == fresh && got.body["lease_token"] != first["lease_token"]);
    fleet.finish().await;
}

#[tokio::test]
async fn the_record_is_bound_to_key_method_and_path_and_errors_are_not_stored() {
    let fleet = Fleet::start(2).await;
    let (agent, other) = (fleet.agent("agent").await, fleet.agent("other").await);
    let (id, second) = (agent.channel_with(json!({ "mode": "claimable", "name": "jobs" })).await, agent.channel("claimable").await);
    let body = || json!({ "content": "x" });
    let first = agent.post_to(&id, body()).once("k").await.ok(201);
    for ask in [
        other.post_to(&id, body()).once("k"),
        agent.post_to(&second, body()).once("k"),
        agent.post_to("jobs", body()).once("k"),
        agent.post_to(&id, body()).once("K"),
        agent.post_to(&id, body()),
        agent.post_to(&id, body()).once("  "),
        agent.post_to(&id, body()).once(""),
    ] {
        let reply = ask.await;
        assert!(!reply.is_replay() && reply.body["message"]["id"] != first["message"]["id"], "{}", reply.text);
    }
    assert_eq!(agent.list(&id, "").await.ok(200)["data"].as_array().unwrap().len(), 7);
    assert!(agent.post_to(&id, body()).once(" k ").await.has_status(201).is_replay(), "blanks around it do not count");

    for bad in ["x".repeat(256), "é".to_owned(), "a\tb".to_owned()] {
        let refusal = agent.post_to(&id, body()).once(&bad).await.refused(422, "invalid_idempotency_key");
        assert_eq!(refusal["field"], "Idempotency-Key");
    }
    let longest = "x".repeat(255);
    agent.post_to(&id, body()).once(&longest).await.ok(201);
    assert!(agent.post_to(&id, body()).once(&longest).await.has_status(201).is_replay());

    // What was refused may be tried again under the same key, also with another body.
    agent.patch(&format!("/v1/channels/{id}"), json!({ "paused": true })).await.ok(200);
    agent.post_to(&id, body()).once("later").await.refused(503, "channel_paused");
    agent.post_to(&id, json!({ "content": " " })).once("later").await.refused(422, "invalid_string");
    agent.patch(&format!("/v1/channels/{id}"), json!({ "paused": false })).await.ok(200);
    assert!(!agent.post_to(&id, body()).once("later").await.has_status(201).is_replay());
    agent.post_to("not yet", body()).once("404").await.refused(404, "channel_not_found");
    agent.channel_with(json!({ "mode": "broadcast", "name": "not yet" })).await;
    assert!(!agent.post_to("not yet", body()).once("404").await.has_status(201).is_replay());
    let message = text(&first["message"]["id"]);
    agent.ack(&message).once("ack").await.refused(409, "not_claimed");
    agent.claim(&message).await.ok(200);
    agent.ack(&message).once("ack").await.ok(200);
    agent.post("/v1/channels", json!({ "name": "jobs", "mode": "broadcast" })).once("c").await.refused(409, "channel_name_in_use");
    agent.delete(&format!("/v1/channels/{id}")).await.ok(204);
    assert_eq!(agent.post("/v1/channels", json!({ "name": "jobs", "mode": "broadcast" })).once("c").await.ok(201)["mode"], "broadcast");
    fleet.finish().await;
}
