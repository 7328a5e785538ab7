//! A room falls asleep, wakes, and ends; whoever asks is told so.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Room, entries, refused, said};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

fn hibernating() -> Value {
    json!({ "error": "channel_hibernating", "hibernating": true, "evicted_reason": "hibernating", "retry": "join" })
}

/// The 404 of a room that has ended, with the seconds since then in a range.
#[track_caller]
fn ended(reply: crate::support::reply::Reply, reason: &str) {
    let body = reply.has_status(404).body;
    assert_eq!((&body["error"], &body["evicted_reason"]), (&json!("channel_or_token_invalid"), &json!(reason)));
    assert!(body["evicted_s_ago"].as_u64().is_some_and(|s| s < 30), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 3);
}

async fn one_waits(fleet: &Fleet, replica: usize) {
    eventually("one waits", Duration::from_secs(15), || async { fleet.metric(replica, "backchannel_waiters").await == Some(1.0) }).await;
}

#[tokio::test]
async fn an_unused_room_falls_asleep_and_the_first_join_wakes_it_empty() {
    let fleet = Fleet::builder().env("CH_IDLE_TIMEOUT_MS", "8000").env("CH_POLL_TIMEOUT_MS", "12000").start().await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    room.send(&ada, "sealed-in-the-first-life").await.ok(200);
    // A parked poll keeps it awake, for longer than the idle time.
    room.poll(&bob, 3).await.has_status(204);
    room.send(&ada, "still awake").await.ok(200);
    eventually("the room is asleep", Duration::from_secs(60), || async {
        tokio::time::sleep(Duration::from_secs(9)).await; // asking keeps it awake
        room.leave(&ada).await.status == 404
    })
    .await;
    for reply in [room.poll(&bob, 0).await, room.send(&bob, "x").await, room.leave(&bob).await] {
        said(reply, 404, hibernating());
    }
    refused(
        room.client.get(&format!("{}?token={}&participant_id={bob}", room.path("poll"), "0".repeat(48))).await,
        404,
        "channel_or_token_invalid",
    );
    let carol = room.join("ada").await.ok(200); // the name is free again
    assert_eq!((&carol["participants"], &carol["cursor"]), (&json!(["ada"]), &json!(1)));
    refused(room.poll(&bob, 0).await, 400, "participant_not_in_channel");
    let page = room.poll(carol["participant_id"].as_str().unwrap(), 0).await.ok(200);
    assert_eq!(entries(&page), [(0, "join".to_owned(), "ada".to_owned())]);
    fleet.finish().await;
}

#[tokio::test]
async fn what_slept_too_long_has_ended_and_says_so() {
    // It must not end before it is joined, asleep or not.
    let fleet = Fleet::builder().env("CH_IDLE_TIMEOUT_MS", "1000").env("CH_HIBERNATE_MAX_MS", "7000").start().await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    tokio::time::sleep(Duration::from_millis(8500)).await;
    ended(room.poll(&ada, 0).await, "evicted_hibernate_expired");
    ended(room.join("bob").await, "evicted_hibernate_expired");
    fleet.finish().await;
}

#[tokio::test]
async fn whoever_waits_when_the_lifetime_ends_is_told_at_once_on_every_replica() {
    let fleet = Fleet::builder().env("CH_MAX_LIFETIME_MS", "10000").start().await;
    let began = Instant::now();
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    let (first, second) = tokio::join!(room.poll(&ada, 2).on(0).into_future(), room.poll(&bob, 2).on(1).into_future());
    let took = began.elapsed();
    // Those who are not told look again after 20 s and more, and the last word is over after five.
    assert!((9900..18_000).contains(&took.as_millis()), "{took:?}");
    for reply in [first, second] {
        let page = reply.ok(200);
        let word = &page["messages"][0];
        assert_eq!((&word["index"], &word["type"], &word["reason"]), (&json!(2), &json!("system"), &json!("evicted_max_lifetime")));
        assert!(word.get("from").is_none() && word["timestamp"].is_u64() && page["cursor"] == 3, "{page}");
    }
    // Who was not there in that moment gets it too, for five seconds; then and for who has had it, the room is gone.
    assert_eq!(entries(&room.poll(&ada, 0).await.ok(200)).len(), 3);
    ended(room.poll(&ada, 3).await, "evicted_max_lifetime");
    ended(room.join("carol").await, "evicted_max_lifetime");
    ended(room.send(&ada, "x").await, "evicted_max_lifetime");
    eventually("the last word is over", Duration::from_secs(20), || async { room.poll(&ada, 0).await.status == 404 }).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_full_room_ends_and_its_readers_get_everything() {
    let fleet = Fleet::builder().env("CH_MAX_MESSAGES", "5").start().await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    let parked = tokio::spawn(room.poll(&bob, 4).on(1).into_future());
    one_waits(&fleet, 1).await;
    for n in 2..5 {
        assert_eq!(room.send(&ada, "x").on(0).await.ok(200)["index"], n);
    }
    ended(room.send(&ada, "x").await, "evicted_max_messages");
    ended(room.join("carol").await, "evicted_max_messages");
    let page = parked.await.unwrap().ok(200);
    let all: Vec<(u64, String)> = entries(&page).into_iter().map(|(n, kind, _)| (n, kind)).collect();
    assert_eq!(all, [(4, "message".to_owned()), (5, "system".to_owned())]);
    assert_eq!(page["messages"][1]["reason"], "evicted_max_messages");
    fleet.finish().await;
}

#[tokio::test]
async fn who_waits_counts_as_seen_and_who_does_not_grows_old() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "15000").start().await;
    let room = Room::make(&fleet.client()).await;
    let (ada, _bob, carol) = (room.joined("ada").await, room.joined("bob").await, room.joined("carol").await);
    let parked = tokio::spawn(room.poll(&ada, 3).on(1).into_future());
    one_waits(&fleet, 1).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    // Again where somebody was kept waiting for an answer.
    eventually("ada is there, bob is not, carol asks", Duration::from_secs(10), || async {
        let page = room.poll(&carol, 0).await.ok(200);
        let seen: Vec<u64> = page["roster"].as_array().unwrap().iter().map(|p| p["last_seen_s"].as_u64().unwrap()).collect();
        assert!((2..30).contains(&seen[1]), "{page}");
        seen[0] == 0 && seen[2] == 0
    })
    .await;
    parked.await.unwrap().has_status(204);
    fleet.finish().await;
}
