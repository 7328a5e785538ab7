//! A replica or a Redis that has no place for more: said in the words of rooms, and what takes nothing works on.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{Room, entries};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// On a busy machine; who waits is answered after 50 s.
const AT_ONCE: Duration = Duration::from_secs(25);

#[track_caller]
fn full(reply: Reply) {
    let reply = reply.has_status(503);
    let seconds = reply.seconds("retry-after").expect("Retry-After");
    assert_eq!((&reply.body["error"], &reply.body["retry_after_sec"]), (&json!("storage_full"), &json!(seconds)), "{}", reply.text);
    assert!(seconds > 0);
}

#[tokio::test]
async fn while_redis_is_full_rooms_take_nothing_more_and_are_read_and_left() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("CH_POLL_TIMEOUT_MS", "200").env("RL_JOINS_PER_HOUR", "3").start().await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    room.send(&ada, "x").await.ok(200);
    // More than nine tenths are used: Redis would take more, the service does not.
    let _: u64 = redis.run(&["SETRANGE", "ballast", "40000000", "x"]);
    let used: u64 = redis.run::<String>(&["INFO", "memory"]).lines().find_map(|l| l.strip_prefix("used_memory:")?.parse().ok()).unwrap();
    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", &(used + used / 20).to_string()]);
    for replica in 0..2 {
        eventually("the replica has seen it", Duration::from_secs(15), || async { room.send(&ada, "").on(replica).await.status == 503 })
            .await;
        full(room.send(&ada, "more").on(replica).await);
        full(room.join("carol").on(replica).await);
        full(fleet.client_on(replica).ask(Method::POST, "/channels").await);
        assert_eq!(entries(&room.poll(&bob, 0).on(replica).await.ok(200)).len(), 3);
        room.poll(&bob, 3).on(replica).await.has_status(204);
    }
    // Redis itself says no.
    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", "1mb"]);
    full(room.send(&ada, "more").await);
    assert_eq!(entries(&room.poll(&bob, 0).await.ok(200)).len(), 3);
    room.leave(&bob).await.ok(200);
    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", "0"]);
    for replica in 0..2 {
        eventually("there is room again", Duration::from_secs(15), || async { room.send(&ada, "y").on(replica).await.status == 200 }).await;
    }
    room.joined("carol").await; // the refused ones cost nothing of the hour's three
    fleet.finish().await;
}

#[tokio::test]
async fn one_address_takes_no_more_places_of_waiters_than_one_key() {
    let fleet = Fleet::builder()
        .replicas(1)
        .env("BACKCHANNEL_LONGPOLL_MAX_WAITERS_PER_KEY", "2")
        .env("BACKCHANNEL_LONGPOLL_MAX_WAITERS", "4")
        .env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1/32")
        .env("CH_POLL_TIMEOUT_MS", "50000")
        .env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50")
        .start()
        .await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    let waiters = async |count: f64| {
        eventually("they wait", Duration::from_secs(15), || async { fleet.metric(0, "backchannel_waiters").await == Some(count) }).await;
    };
    let park = |address: &str| tokio::spawn(room.poll(&ada, 1).header("X-Forwarded-For", address).into_future());
    let mut parked = vec![park("198.51.100.1"), park("198.51.100.1")];
    waiters(2.0).await;
    let began = Instant::now();
    park("198.51.100.1").await.unwrap().has_status(204);
    assert!(began.elapsed() < AT_ONCE, "it is answered at once");
    parked.push(park("198.51.100.2"));
    waiters(3.0).await;
    // They count among all who wait: a place is left, then none.
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;
    let list = |wait: u32| tokio::spawn(agent.list(&channel, &format!("wait={wait}")).into_future());
    let reader = list(50);
    waiters(4.0).await;
    let began = Instant::now();
    list(50).await.unwrap().ok(200);
    park("198.51.100.3").await.unwrap().has_status(204);
    assert!(began.elapsed() < AT_ONCE);
    room.send(&ada, "x").await.ok(200);
    for reply in parked {
        assert_eq!(entries(&reply.await.unwrap().ok(200)).len(), 1);
    }
    waiters(1.0).await;
    agent.post_message(&channel, "x").await;
    reader.await.unwrap().ok(200);
    fleet.finish().await;
}
