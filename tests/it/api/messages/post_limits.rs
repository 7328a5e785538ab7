//! Sizes, rates, rings and quotas of posting.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::clock::not_at_midnight;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

fn contents(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn content_and_metadata_are_limited_in_bytes() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_MESSAGE_BYTES", "100").start().await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel("broadcast").await;
    let fits = format!("  {}\n", "é".repeat(50));
    assert_eq!(poster.post_to(&id, json!({ "content": fits })).await.ok(201)["message"]["content"], "é".repeat(50));
    let refusal = poster.post_to(&id, json!({ "content": format!("{}x", "é".repeat(50)) })).await.refused(422, "content_too_large");
    assert_eq!(
        (&refusal["max_content_bytes"], &refusal["received_bytes"], &refusal["field"]),
        (&json!(100), &json!(101), &json!("content"))
    );

    let sized = |n: usize| json!({ "content": "x", "metadata": { "k": "y".repeat(n - 8) } });
    poster.post_to(&id, sized(16_384)).await.ok(201);
    let refusal = poster.post_to(&id, sized(16_385)).await.refused(422, "metadata_too_large");
    assert_eq!((&refusal["received_bytes"], &refusal["field"]), (&json!(16_385), &json!("metadata")));
    fleet.finish().await;

    let fleet = Fleet::start(1).await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel("broadcast").await;
    poster.post_message(&id, &"x".repeat(10_000)).await;
    let refusal = poster.post_to(&id, json!({ "content": "x".repeat(10_001) })).await.refused(422, "content_too_large");
    assert_eq!(refusal["max_content_bytes"], 10_000);
    fleet.finish().await;
}

#[tokio::test]
async fn a_ring_drops_its_oldest_also_those_that_are_held() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_MESSAGES_PER_CHANNEL", "5").start().await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel_with(json!({ "mode": "claimable", "max_messages": 3 })).await;
    let first = poster.post_message(&id, "1").await;
    let second = poster.post_message(&id, "2").await;
    let lease = poster.claim_with_lease(&first, 300).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
    for i in 3..=4 {
        poster.post_message(&id, &i.to_string()).await;
    }
    assert_eq!(contents(&poster.list(&id, "").await.ok(200)), ["2", "3", "4"]);
    poster.ack(&first).await.refused(404, "message_not_found");
    poster.heartbeat(&lease, 60).await.refused(410, "lease_expired");
    assert_eq!(poster.list(&id, "status=claimed").await.ok(200)["data"], json!([]));
    assert_eq!(poster.claim_next(&id, json!({})).await.ok(200)["claimed"]["id"], second, "the oldest that is left");

    // A ring made smaller shrinks with the next post; one made larger keeps to the operator's cap.
    poster.patch(&format!("/v1/channels/{id}"), json!({ "max_messages": 1 })).await.ok(200);
    poster.post_message(&id, "5").await;
    assert_eq!(contents(&poster.list(&id, "").await.ok(200)), ["5"]);
    poster.patch(&format!("/v1/channels/{id}"), json!({ "max_messages": 1000 })).await.ok(200);
    for i in 6..=12 {
        poster.post_message(&id, &i.to_string()).await;
    }
    assert_eq!(contents(&poster.list(&id, "").await.ok(200)), ["8", "9", "10", "11", "12"]);

    // Without a ring the cap refuses, and a retraction makes room.
    let id = poster.channel("claimable").await;
    let racers = join_all((0..8).map(|i| poster.post_to(&id, json!({ "content": "x" })).on(i % 2).into_future())).await;
    assert_eq!(racers.iter().filter(|r| r.status == 201).count(), 5);
    let full = poster.post_to(&id, json!({ "content": "x" })).await.refused(409, "quota_exceeded");
    assert_eq!((&full["limit"], &full["value"]), (&json!("messages_per_channel"), &json!(5)));
    let page = poster.list(&id, "").await.ok(200);
    poster.delete(&format!("/v1/messages/{}", page["data"][2]["id"].as_str().unwrap())).await.ok(200);
    poster.post_message(&id, "fits again").await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_channel_takes_so_many_writes_a_minute_over_all_replicas() {
    let fleet = Fleet::start(2).await;
    let (owner, poster) = (fleet.agent("owner").await, fleet.agent("poster").await);
    let id = owner.channel_with(json!({ "mode": "broadcast", "max_writes_per_minute": 5 })).await;
    let first = poster.post_to(&id, json!({ "content": "x" })).once("k").await.ok(201);
    let replies = join_all((0..16).map(|i| {
        let agent = if i % 3 == 0 { &owner } else { &poster };
        agent.post_to(&id, json!({ "content": "x" })).on(i % 2).into_future()
    }))
    .await;
    assert_eq!(replies.iter().filter(|r| r.status == 201).count(), 4);
    for reply in replies.into_iter().filter(|r| r.status != 201) {
        let header = reply.seconds("retry-after").unwrap();
        let refusal = reply.refused(429, "channel_write_rate_exceeded");
        assert!((1..=60).contains(&header) && refusal["retry_after"] == header, "{refusal}");
    }
    assert_eq!(poster.post_to(&id, json!({ "content": "x" })).once("k").await.ok(201), first, "a replay is no write");
    owner.list(&id, "").await.ok(200);
    owner.patch(&format!("/v1/channels/{id}"), json!({ "max_writes_per_minute": null })).await.ok(200);
    poster.post_message(&id, "no limit any more").await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_channel_takes_so_many_bytes_and_says_so() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_BYTES_PER_CHANNEL", "65536").start().await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel("broadcast").await;
    let long = json!({ "content": "x".repeat(9000) });
    let replies = join_all((0..16).map(|i| poster.post_to(&id, long.clone()).on(i % 2).into_future())).await;
    let taken = replies.iter().filter(|r| r.status == 201).count();
    assert!((5..=9).contains(&taken), "{taken} of 9 KB in 64 KB");
    let full = poster.post_to(&id, long.clone()).await.refused(409, "quota_exceeded");
    assert_eq!((&full["limit"], &full["value"]), (&json!("bytes_per_channel"), &json!(65_536)));
    // A ring makes room instead.
    poster.patch(&format!("/v1/channels/{id}"), json!({ "max_messages": 1000 })).await.ok(200);
    for _ in 0..20 {
        poster.post_to(&id, long.clone()).await.ok(201);
    }
    assert!(poster.list(&id, "limit=100").await.ok(200)["data"].as_array().unwrap().len() <= taken + 1);
    fleet.finish().await;
}

#[tokio::test]
async fn a_key_posts_so_many_bytes_a_day_on_all_replicas_and_goes_on_with_all_else() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_MAX_BYTES_PER_KEY_PER_DAY", "50000")
        .env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "1")
        .env("BACKCHANNEL_RATE_LIMIT", "0")
        .start()
        .await;
    let (greedy, other) = (fleet.agent("greedy").await, fleet.agent("other").await);
    not_at_midnight().await;
    let id = other.channel("claimable").await;
    for replica in 0..2 {
        eventually("the key has posted enough", Duration::from_secs(40), || async {
            greedy.on(replica).post_to(&id, json!({ "content": "x".repeat(9000) })).await.status == 409
        })
        .await;
        let refusal =
            greedy.on(replica).post("/v1/tasks/post", json!({ "channel": id, "content": "x" })).await.refused(409, "quota_exceeded");
        assert_eq!((&refusal["limit"], &refusal["value"]), (&json!("bytes_per_key_per_day"), &json!(50_000)));
        assert!(refusal["resets_at"].as_str().unwrap().ends_with("T00:00:00.000000Z"));
        other.on(replica).post_message(&id, "others post on").await;
        assert_eq!(greedy.on(replica).claim_next(&id, json!({ "lease_seconds": 600 })).await.ok(200)["attempt"], 1);
    }
    assert!(greedy.get("/v1/account/usage").await.ok(200)["used"]["bytes_per_key_per_day"].as_u64().unwrap() > 50_000);
    fleet.finish().await;
}
