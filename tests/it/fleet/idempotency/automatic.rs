//! BACKCHANNEL_AUTO_IDEMPOTENCY_SECONDS: an identical request without a key replays too, where doing it again is not meant.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

#[tokio::test]
async fn by_default_an_equal_post_is_a_second_post() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    for _ in 0..2 {
        let reply = agent.post_to(&id, json!({ "content": "x" })).await.has_status(201);
        assert_eq!((reply.is_replay(), reply.header("x-idempotency-source")), (false, None));
    }
    assert_eq!(agent.list(&id, "").await.ok(200)["data"].as_array().unwrap().len(), 2);
    fleet.finish().await;
}

#[tokio::test]
async fn in_automatic_mode_an_equal_write_is_replayed_for_a_while_but_never_a_claim_or_an_ack() {
    let fleet = Fleet::builder().env("BACKCHANNEL_AUTO_IDEMPOTENCY_SECONDS", "300").start().await;
    let (agent, other) = (fleet.agent("agent").await, fleet.agent("other").await);
    let id = agent.channel("claimable").await;
    let post = |content: &str| agent.post_to(&id, json!({ "content": content }));
    let first = post("x").on(0).await.has_status(201);
    assert_eq!((first.is_replay(), first.header("x-idempotency-source")), (false, Some("server-auto")));
    let again = post("x").on(1).await.has_status(201);
    assert!(again.is_replay() && again.text == first.text);
    assert_eq!((again.header("x-idempotency-source"), again.header("idempotency-key")), (Some("server-auto"), None));
    for different in [
        post("y"),
        agent.post_to(&id, json!({})).raw(r#"{ "content": "x" }"#),
        other.post_to(&id, json!({ "content": "x" })),
        post("x").once("with a key of its own"),
    ] {
        assert!(!different.await.has_status(201).is_replay());
    }
    assert_eq!(agent.list(&id, "").await.ok(200)["data"].as_array().unwrap().len(), 5);
    let task = || agent.post("/v1/tasks/post", json!({ "channel": "fly", "content": "x" }));
    assert_eq!(task().on(0).await.ok(201), task().on(1).await.ok(201));

    // Doing these again is meant.
    let message = first.body["message"]["id"].as_str().unwrap();
    let taken = agent.claim_next(&id, json!({ "lease_seconds": 60 })).await.has_status(200);
    let next = agent.claim_next(&id, json!({ "lease_seconds": 60 })).await.has_status(200);
    assert_eq!(taken.body["claimed"]["id"], message);
    assert_ne!(next.body["claimed"]["id"], message);
    let lease = taken.body["lease_token"].as_str().unwrap().to_owned();
    let (one, two) = (agent.heartbeat(&lease, 60).await.has_status(200), agent.heartbeat(&lease, 60).await.has_status(200));
    assert!(two.body["lease_expires_at"].as_str() > one.body["lease_expires_at"].as_str(), "each extends");
    let mut replies = vec![taken, next, one, two];
    for _ in 0..2 {
        replies.push(agent.release(message).await.has_status(200));
        replies.push(agent.claim(message).await.has_status(200));
    }
    replies.push(agent.release(message).await.has_status(200));
    replies.push(agent.claim_with_lease(message, 60).await.has_status(200));
    assert_eq!(replies.last().unwrap().body["attempt"], 4);
    replies.push(agent.ack(message).await.has_status(200));
    let acked = agent.ack(message).await.has_status(200);
    assert_eq!(acked.body["status"], "already_acknowledged");
    replies.push(acked);
    replies.push(agent.post("/v1/tasks/subscribe", json!({ "channel": id })).await.has_status(200));
    for reply in replies {
        assert_eq!((reply.is_replay(), reply.header("x-idempotency-source")), (false, None), "{}", reply.text);
    }
    agent.post_message(&id, "seen by the next look").await;
    let look = agent.post("/v1/tasks/subscribe", json!({ "channel": id })).await.ok(200);
    assert_eq!(look["data"].as_array().unwrap().len(), 6);
    fleet.finish().await;
}

#[tokio::test]
async fn automatic_records_end_after_the_seconds_that_were_set() {
    let fleet = Fleet::builder().env("BACKCHANNEL_AUTO_IDEMPOTENCY_SECONDS", "1").start().await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let post = || agent.post_to(&id, json!({ "content": "x" }));
    let first: Value = post().await.ok(201);
    eventually("an equal post is a new one", Duration::from_secs(20), || async { post().await.ok(201) != first }).await;
    fleet.finish().await;
}
