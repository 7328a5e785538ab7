//! One order for everybody, whichever replica is asked, while replicas and Redis die.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use super::{Room, entries, insist};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

/// Polls until all `expected` messages were seen; all entries in the order they came.
async fn read_all(room: Room, participant: String, expected: usize) -> Vec<(u64, String)> {
    let (mut cursor, mut seen, mut messages) = (0, Vec::new(), 0);
    while messages < expected {
        let reply = insist(|| room.poll(&participant, cursor)).await;
        if reply.status == 204 {
            continue;
        }
        let page = reply.ok(200);
        assert!(page.get("reset").is_none(), "{page}");
        for entry in page["messages"].as_array().unwrap() {
            messages += usize::from(entry["type"] == "message");
            seen.push((entry["index"].as_u64().unwrap(), entry["text"].as_str().unwrap_or_default().to_owned()));
        }
        cursor = page["cursor"].as_u64().unwrap();
    }
    seen
}

/// Senders that send `count` texts between them, each under an id of its own so that it may be repeated.
async fn send_all(room: &Room, participants: &[String], senders: usize, count: usize, next: &Arc<AtomicUsize>) {
    let all = (0..senders).map(|n| {
        let (room, who, next) = (room.clone(), participants[n % participants.len()].clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return;
                }
                let body = json!({ "token": room.token, "participant_id": who, "text": format!("m{n}"), "client_msg_id": format!("m{n}") });
                insist(|| room.client.post(&room.path("send"), body.clone())).await.ok(200);
            }
        })
    });
    for sender in join_all(all).await {
        sender.expect("it sends");
    }
}

/// 20 participants read what 32 senders send, whatever happens when a third of it is sent; each sees every index once, in order, and every text once.
async fn everybody_sees_the_same(fleet: &Fleet, messages: usize, trouble: impl AsyncFnOnce()) {
    let room = Room::make(&fleet.client()).await;
    let mut participants = Vec::new();
    for n in 0..20 {
        participants.push(room.joined(&format!("p{n}")).await);
    }
    let readers: Vec<_> = participants.iter().map(|p| tokio::spawn(read_all(room.clone(), p.clone(), messages))).collect();
    let next = Arc::new(AtomicUsize::new(0));
    let trouble = async {
        while next.load(Ordering::Relaxed) < messages / 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        trouble().await;
    };
    let ((), ()) = tokio::join!(send_all(&room, &participants, 32, messages, &next), trouble);
    let mut first: Option<Vec<(u64, String)>> = None;
    for reader in readers {
        let seen = reader.await.expect("it reads");
        let indexes: Vec<u64> = seen.iter().map(|(index, _)| *index).collect();
        assert_eq!(indexes, (0..20 + messages as u64).collect::<Vec<_>>(), "without gap or repeat");
        let texts: HashSet<&str> = seen.iter().map(|(_, text)| text.as_str()).filter(|text| !text.is_empty()).collect();
        assert_eq!(texts.len(), messages, "each text once");
        assert_eq!(first.get_or_insert_with(|| seen.clone()), &seen, "one order for all");
    }
}

#[tokio::test]
async fn twenty_readers_of_thirty_two_senders_see_one_order_over_two_replicas() {
    let fleet = Fleet::start(2).await;
    everybody_sees_the_same(&fleet, 5000, async || {}).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_replica_that_is_killed_under_load_costs_nobody_a_message() {
    let fleet = Fleet::start(2).await;
    everybody_sees_the_same(&fleet, 2000, async || {
        fleet.kill9(0);
        tokio::time::sleep(Duration::from_millis(1000)).await;
        fleet.restart(0).await;
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_room_goes_on_after_redis_was_killed_and_restarted() {
    let redis = RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    everybody_sees_the_same(&fleet, 1000, async || {
        redis.kill9();
        tokio::time::sleep(Duration::from_millis(500)).await;
        redis.restart();
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_poll_on_one_replica_is_woken_by_what_happens_on_the_other() {
    let fleet = Fleet::start(2).await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let cursor = 2 + round;
        let parked = tokio::spawn(room.poll(&bob, cursor).on(1).into_future());
        // The sender's own poll is woken too.
        let own = tokio::spawn(room.poll(&ada, cursor).on(0).into_future());
        tokio::time::sleep(Duration::from_millis(30)).await;
        let began = Instant::now();
        room.send(&ada, "x").on(0).await.ok(200);
        for reply in [parked.await.unwrap(), own.await.unwrap()] {
            assert_eq!(entries(&reply.ok(200)), [(cursor, "message".to_owned(), "ada".to_owned())]);
        }
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(10), "woken, not because they looked again by themselves: {slowest:?}");
    let parked = tokio::spawn(room.poll(&bob, 22).on(1).into_future());
    tokio::time::sleep(Duration::from_millis(100)).await;
    room.join("carol").on(0).await.ok(200);
    assert_eq!(entries(&parked.await.unwrap().ok(200))[0].1, "join");
    fleet.finish().await;
}

/// A short entry comes with the wake-up, a long one is looked up, and so is one that ends the room: nobody can tell.
#[tokio::test]
async fn who_was_woken_is_shown_what_a_poll_shows() {
    let fleet = Fleet::builder().env("CH_MAX_MESSAGES", "8").start().await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    let shown = |page: Value| {
        let roster: Vec<Value> = page["roster"].as_array().unwrap().iter().map(|p| json!([p["name"], p["key_fp"]])).collect();
        let mut messages = page["messages"].clone();
        for last_word in messages.as_array_mut().unwrap().iter_mut().filter(|m| m["type"] == "system") {
            last_word["timestamp"].take(); // made when it is read
        }
        (messages, page["cursor"].clone(), roster, page.get("reset").cloned())
    };
    let all = [
        room.send(&ada, "a\u{0}b\u{7f}/\\\"\u{2028}ü🦊"),
        room.join("carol"),
        room.send(&ada, &"x".repeat(10_000)),
        room.send(&bob, "his own"),
        room.leave(&ada),
        room.send(&bob, "the last"),
    ];
    for (n, ask) in all.into_iter().enumerate() {
        let cursor = n as u64 + 2;
        let parked = tokio::spawn(room.poll(&bob, cursor).on(1).into_future());
        eventually("it waits", Duration::from_secs(10), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
        ask.on(0).await.has_status(200);
        let woken = parked.await.unwrap().ok(200);
        assert_eq!(shown(woken.clone()), shown(room.poll(&bob, cursor).on(n % 2).await.ok(200)), "{woken}");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn of_many_who_want_one_name_or_the_last_place_one_gets_it() {
    let fleet = Fleet::builder().env("CH_MAX_PARTICIPANTS", "4").start().await;
    let room = Room::make(&fleet.client()).await;
    let same = join_all((0..20).map(|_| room.join("same").into_future())).await;
    assert_eq!(same.iter().filter(|r| r.status == 200).count(), 1);
    let others = join_all((0..20).map(|n| room.join(&format!("p{n}")).into_future())).await;
    assert_eq!(others.iter().filter(|r| r.status == 200).count(), 3);
    let words: HashSet<&str> = others.iter().filter_map(|r| r.body["error"].as_str()).collect();
    assert_eq!(words, HashSet::from(["channel_full"]));
    fleet.finish().await;
}

#[tokio::test]
async fn a_reader_that_is_ahead_of_a_store_that_lost_its_tail_is_given_what_is_left() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "300").start().await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    for _ in 0..5 {
        room.send(&ada, "x").await.ok(200);
    }
    room.poll(&ada, 50).await.has_status(204); // nothing was lost: it waits
    let key = |suffix: &str| format!("{}{{room:{}}}:{suffix}", fleet.prefix(), room.id);
    // As a promoted replica has it that did not get the last two.
    fleet.redis().run::<()>(&["HSET", &key("room"), "length", "4", "history", "0123456789abcdef"]);
    fleet.redis().run::<()>(&["XDEL", &key("log"), "5-0", "6-0"]);
    let page = room.poll(&ada, 6).await.ok(200);
    assert_eq!((&page["reset"], &page["cursor"], entries(&page).len()), (&Value::Bool(true), &json!(4), 4));
    room.poll(&ada, 4).await.has_status(204);
    fleet.finish().await;
}

#[tokio::test]
async fn a_replica_that_leaves_answers_who_waits_and_they_go_on_elsewhere() {
    let fleet = Fleet::start(2).await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    let parked = tokio::spawn(room.poll(&ada, 1).on(0).into_future());
    eventually("it waits", Duration::from_secs(15), || async { fleet.metric(0, "backchannel_waiters").await == Some(1.0) }).await;
    assert!(fleet.terminate(0).await.success());
    parked.await.unwrap().has_status(204);
    room.send(&ada, "x").await.ok(200);
    assert_eq!(entries(&room.poll(&ada, 1).await.ok(200)).len(), 1);
    fleet.finish().await;
}
