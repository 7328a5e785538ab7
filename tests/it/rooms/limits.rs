//! Limits of one client address, over all replicas.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::Room;
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// 429 with the same seconds in body and header; how many.
#[track_caller]
fn limited(reply: Reply, word: &str) -> u64 {
    let reply = reply.has_status(429);
    let seconds = reply.seconds("retry-after").expect("Retry-After");
    assert_eq!(reply.body, json!({ "error": word, "retry_after_sec": seconds }));
    assert!(seconds > 0);
    seconds
}

#[tokio::test]
async fn each_limit_counts_over_all_replicas_and_says_when_to_come_again() {
    let fleet = Fleet::builder()
        .env("RL_CHANNELS_PER_HOUR", "3")
        .env("RL_MESSAGES_PER_HOUR", "3600")
        .env("RL_JOINS_PER_HOUR", "4")
        .env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1/32")
        .start()
        .await;
    let room = Room::make(&fleet.client()).await;
    for _ in 0..2 {
        Room::make(&fleet.client()).await;
    }
    let wait = limited(fleet.client().ask(Method::POST, "/channels").await, "rate_limited");
    assert!((1100..=1200).contains(&wait), "one of three an hour: {wait}");
    fleet.client().ask(Method::POST, "/channels").header("X-Forwarded-For", "198.51.100.7").await.ok(200);
    for name in ["a", "b", "c", "d"] {
        room.join(name).await.ok(200);
    }
    // The limit comes before the body is looked at.
    limited(room.client.ask(Method::POST, &room.path("join")).raw("{").await, "rate_limited");
    let kinds = async |kind: &str| {
        let mut sum = 0;
        for replica in 0..2 {
            let page = fleet.client_on(replica).get("/metrics").await.has_status(200).text;
            let line = page.lines().find(|l| l.starts_with(&format!("agentalk_ratelimit_rejections_total{{kind=\"{kind}\"}}"))).unwrap();
            sum += line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        }
        sum
    };
    assert_eq!((kinds("channels").await, kinds("joins").await, kinds("messages").await), (1, 1, 0));
    fleet.finish().await;
}

#[tokio::test]
async fn a_bucket_of_messages_fills_evenly() {
    let fleet = Fleet::builder().env("RL_MESSAGES_PER_HOUR", "1800").start().await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    // As many as an hour's, at once, would take long to send: begin with an empty bucket.
    let bucket = format!("{}{{address:127.0.0.1}}:bucket:messages", fleet.prefix());
    room.send(&ada, "x").await.ok(200);
    let full_at: u64 = fleet.redis().run(&["GET", &bucket]);
    // And not full enough for some seconds: what the next one takes on a busy machine.
    fleet.redis().run::<()>(&["SET", &bucket, &(full_at + 3_606_000_000).to_string(), "PX", "3700000"]);
    let wait = limited(room.send(&ada, "x").await, "rate_limited");
    assert!((1..=11).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    room.send(&ada, "x").await.ok(200);
    fleet.finish().await;
}

#[tokio::test]
async fn a_room_that_sleeps_gives_its_place_back_and_takes_it_again_when_it_wakes() {
    let fleet = Fleet::builder().env("RL_CONCURRENT_CHANNELS_PER_IP", "2").env("CH_IDLE_TIMEOUT_MS", "10000").start().await;
    let first = Room::make(&fleet.client()).await;
    Room::make(&fleet.client()).await;
    let wait = limited(fleet.client().ask(Method::POST, "/channels").await, "concurrent_channels_limit");
    assert!(wait <= 11, "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let third = Room::make(&fleet.client()).await;
    let ada = third.joined("ada").await;
    first.joined("ada").await; // awake again
    limited(fleet.client().ask(Method::POST, "/channels").await, "concurrent_channels_limit");
    third.leave(&ada).await.ok(200);
    eventually("a room nobody is in gives its place back", Duration::from_secs(45), || async {
        fleet.client().ask(Method::POST, "/channels").await.status == 200
    })
    .await;
    fleet.finish().await;
}
