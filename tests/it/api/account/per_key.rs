//! What one key may have at one instant: leases that run, and what its channels hold in memory.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;
use crate::support::wait::eventually;

async fn used(agent: &Agent, name: &str) -> u64 {
    agent.get("/v1/account/usage").await.ok(200)["used"][name].as_u64().unwrap()
}

fn says(refusal: &Value, limit: &str, value: u64) {
    assert_eq!((&refusal["limit"], &refusal["value"]), (&json!(limit), &json!(value)), "{refusal}");
}

#[tokio::test]
async fn a_key_with_as_many_leases_as_it_may_have_claims_on_as_soon_as_one_has_ended() {
    let fleet = Fleet::builder()
        .replicas(1)
        .env("BACKCHANNEL_MAX_LEASES_PER_KEY", "5")
        .env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50")
        .start()
        .await;
    let (worker, other) = (fleet.agent("worker").await, fleet.agent("other").await);
    let (tasks, quiet) = (other.channel("claimable").await, other.channel("claimable").await);
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(other.post_message(&tasks, &format!("task {n}")).await);
    }
    let lease = json!({ "lease_seconds": 600 });
    let first = worker.post(&format!("/v1/messages/{}/claim-with-lease", ids[0]), lease.clone()).once("k").await.ok(200);
    let waiting = tokio::spawn(worker.claim_next(&quiet, json!({ "lease_seconds": 600, "wait": 50 })).into_future());
    eventually("it waits", Duration::from_secs(20), || async { used(&worker, "waiters_per_key").await == 1 }).await;
    let got = worker.claim_next(&tasks, json!({ "lease_seconds": 600, "max": 10 })).await.ok(200);
    assert_eq!(got["claims"].as_array().unwrap().len(), 4, "no more than it may have: {got}");

    // However it claims under a lease; what it was given before is answered again.
    let began = Instant::now();
    for wait in [0, 50] {
        let ask = json!({ "lease_seconds": 600, "wait": wait });
        let refusal = worker.claim_next(&tasks, ask).await.refused(409, "quota_exceeded");
        says(&refusal, "leases_per_key", 5);
        assert!(refusal["message"].as_str().unwrap().contains("Acknowledge or release some"), "{refusal}");
    }
    says(&worker.claim_with_lease(&ids[20], 600).await.refused(409, "quota_exceeded"), "leases_per_key", 5);
    worker.claim_with_lease(&ids[1], 600).await.refused(409, "already_claimed");
    let again = worker.post(&format!("/v1/messages/{}/claim-with-lease", ids[0]), lease.clone()).once("k").await.ok(200);
    assert_eq!(again["lease_token"], first["lease_token"]);
    worker.heartbeat(first["lease_token"].as_str().unwrap(), 600).await.ok(200);
    other.post_message(&quiet, "a task for who waits").await;
    says(&waiting.await.unwrap().refused(409, "quota_exceeded"), "leases_per_key", 5);
    assert!(began.elapsed() < Duration::from_secs(30), "nobody waits for a lease that it may not have");
    // Without a lease, and for others, nothing has changed.
    worker.claim(&ids[29]).await.ok(200);
    worker.post("/v1/tasks/claim-and-ack", json!({ "message_id": ids[28] })).await.ok(200);
    other.claim_with_lease(&ids[27], 600).await.ok(200);
    assert_eq!((used(&worker, "leases_per_key").await, used(&other, "leases_per_key").await), (5, 1));
    assert_eq!(worker.get("/v1/account/usage").await.ok(200)["limits"]["leases_per_key"], 5);

    worker.ack(&ids[1]).await.ok(200);
    worker.release(&ids[2]).await.ok(200);
    let got = worker.claim_next(&tasks, json!({ "lease_seconds": 600, "max": 10 })).await.ok(200);
    assert_eq!(got["claims"].as_array().unwrap().len(), 2, "two have ended: {got}");
    worker.claim_next(&tasks, lease.clone()).await.refused(409, "quota_exceeded");
    worker.heartbeat(got["lease_token"].as_str().unwrap(), 1).await.ok(200);
    eventually("leases that run out end too", Duration::from_secs(20), || async {
        worker.claim_next(&tasks, lease.clone()).await.status == 200
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_key_whose_channels_hold_as_much_as_they_may_gets_posts_again_when_some_of_it_is_gone() {
    let fleet = Fleet::builder()
        .replicas(1)
        .env("BACKCHANNEL_MAX_BYTES_PER_KEY", "300000")
        .env("BACKCHANNEL_MAX_MESSAGE_BYTES", "40000")
        .env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1")
        .start()
        .await;
    let (owner, poster) = (fleet.agent("owner").await, fleet.agent("poster").await);
    let (first, second) = (owner.channel("claimable").await, owner.channel_with(json!({ "mode": "broadcast", "max_messages": 3 })).await);
    let long = || json!({ "content": "x".repeat(40_000) });
    let task = poster.post_message(&first, "a task").await;
    let lease = poster.claim_with_lease(&task, 300).await.ok(200);
    let refused = |channel: String| {
        let poster = poster.clone();
        async move { poster.post_to(&channel, long()).await.status == 409 }
    };
    eventually("the key is full", Duration::from_secs(20), || refused(first.clone())).await;
    let reply = poster.post_to(&first, json!({ "content": "x" })).await;
    assert!(reply.seconds("retry-after").is_some_and(|s| (1..=30).contains(&s)), "{:?}", reply.header("retry-after"));
    let refusal = reply.refused(409, "quota_exceeded");
    says(&refusal, "bytes_per_key", 300_000);
    assert!(refusal["message"].as_str().unwrap().contains("deletes channels"), "{refusal}");
    // Whoever posts, and in each of its channels; a ring too.
    says(
        &owner.post("/v1/tasks/post", json!({ "channel": first, "content": "x" })).await.refused(409, "quota_exceeded"),
        "bytes_per_key",
        300_000,
    );
    eventually("its ring is full too", Duration::from_secs(20), || refused(second.clone())).await;
    let of_poster = poster.channel("broadcast").await;
    poster.post_to(&of_poster, long()).await.ok(201);
    assert!(used(&owner, "bytes_per_key").await >= 300_000);
    assert_eq!(owner.get("/v1/account/usage").await.ok(200)["limits"]["bytes_per_key"], 300_000);
    // Work goes on, without results.
    let ack = |body: Value| poster.post(&format!("/v1/messages/{task}/ack"), body);
    let proof = |result: Option<&str>| json!({ "lease_token": lease["lease_token"], "result": result });
    says(&ack(proof(Some("done"))).await.refused(409, "quota_exceeded"), "bytes_per_key", 300_000);

    // Once the mark has run out, a post looks: still full, and marked again.
    let over = |channel: &str| set_of_channel(fleet.redis(), &format!("{}{{{channel}}}:meta", fleet.prefix()), "full_until", "1");
    over(&second);
    let reply = poster.post_to(&second, long()).await;
    assert_eq!((reply.status, reply.seconds("retry-after")), (409, Some(30)));
    assert_eq!(poster.post_to(&second, long()).await.status, 409);
    // Messages that are retracted make room, also those of another channel.
    let page = owner.list(&first, "limit=100").await.ok(200);
    for message in page["data"].as_array().unwrap().iter().filter(|message| message["id"] != json!(task)) {
        owner.delete(&format!("/v1/messages/{}", message["id"].as_str().unwrap())).await.ok(200);
    }
    eventually("that is reported", Duration::from_secs(20), || async { used(&owner, "bytes_per_key").await < 300_000 }).await;
    over(&second);
    // Three fill its ring, however few it had taken until it was closed.
    for _ in 0..3 {
        poster.post_to(&second, long()).await.ok(201);
    }
    over(&first);
    ack(proof(Some("done"))).await.ok(200);
    // And so do channels that are deleted.
    eventually("the ring is reported", Duration::from_secs(20), || async { used(&owner, "bytes_per_key").await > 110_000 }).await;
    let before = used(&owner, "bytes_per_key").await;
    owner.delete(&format!("/v1/channels/{second}")).await.ok(204);
    assert!(used(&owner, "bytes_per_key").await + 100_000 < before);
    fleet.finish().await;
}
