//! Those who wait for a receipt: a claim or an ack at any replica wakes them, and so does whatever makes it impossible.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::losses::cut_subscribers;
use super::{SOON, answer, held, waiters};
use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

fn receipt(agent: &Agent, message: &str, query: &str) -> Ask {
    agent.get(&format!("/v1/messages/{message}?{query}"))
}

fn ack(agent: &Agent, message: &str, result: &str) -> Ask {
    agent.post(&format!("/v1/messages/{message}/ack"), json!({ "result": result }))
}

#[tokio::test]
async fn a_claim_and_an_ack_at_one_replica_wake_who_waits_for_them_at_each() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    for from in 0..2 {
        let message = poster.post_message(&channel, "a task").await;
        let wait = |query: &str| [0, 1].map(|replica| held(receipt(&poster.on(replica), &message, query)));
        let (claimed, done) = (wait("wait=25&until=claimed"), wait("wait=25"));
        waiters(&fleet, &[2, 2]).await;
        // Claim-next and claim by id; by turns.
        let worker = worker.on(from);
        if from == 0 {
            worker.claim_next(&channel, json!({})).await.ok(200);
        } else {
            worker.claim(&message).await.ok(200);
        }
        for waiter in claimed {
            let seen = answer(waiter).await.ok(200);
            assert_eq!((&seen["state"], &seen["claimed_by_key_id"]), (&json!("claimed"), &json!(worker.key_id)));
        }
        waiters(&fleet, &[1, 1]).await;
        ack(&worker, &message, "what came out").await.ok(200);
        for waiter in done {
            let seen = answer(waiter).await.ok(200);
            assert_eq!((&seen["state"], &seen["result"]), (&json!("done"), &json!("what came out")));
        }
    }
    // One call that does both, and a broadcast.
    let (task, news) = (poster.post_message(&channel, "a task").await, poster.channel("broadcast").await);
    let news = poster.post_message(&news, "news").await;
    let waiting = [held(receipt(&poster.on(1), &task, "wait=25")), held(receipt(&poster.on(1), &news, "wait=25"))];
    waiters(&fleet, &[0, 2]).await;
    worker.on(0).post("/v1/tasks/claim-and-ack", json!({ "message_id": task })).await.ok(200);
    ack(&worker.on(0), &news, "seen").await.ok(200);
    let [task, news] = waiting;
    assert_eq!(answer(task).await.ok(200)["state"], "done");
    assert_eq!(answer(news).await.ok(200)["result"], "seen");
    fleet.finish().await;
}

#[tokio::test]
async fn who_waits_for_what_cannot_come_any_more_is_told_so() {
    let fleet = Fleet::start(2).await;
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    let channel = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    let [taken_back, kept] = [owner.post_message(&channel, "taken back").await, owner.post_message(&channel, "kept").await];
    let retracted = held(receipt(&owner.on(1), &taken_back, "wait=25"));
    let members: Vec<_> = (0..2).map(|replica| held(receipt(&member.on(replica), &kept, "wait=25"))).collect();
    let owners = held(receipt(&owner.on(1), &kept, "wait=25"));
    waiters(&fleet, &[1, 3]).await;
    owner.on(0).delete(&format!("/v1/messages/{taken_back}")).await.ok(200);
    assert_eq!(answer(retracted).await.ok(200)["state"], "retracted");
    owner.on(0).delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.ok(200);
    for waiter in members {
        answer(waiter).await.refused(403, "channel_access_denied");
    }
    waiters(&fleet, &[0, 1]).await; // whose right it still is waits on
    owner.on(0).delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    answer(owners).await.refused(404, "message_not_found");

    // A ring pushes its oldest out.
    let ring = owner.channel_with(json!({ "mode": "claimable", "max_messages": 2 })).await;
    let oldest = owner.post_message(&ring, "too old soon").await;
    let waiting = held(receipt(&owner.on(1), &oldest, "wait=25"));
    waiters(&fleet, &[0, 1]).await;
    for _ in 0..2 {
        owner.on(0).post_message(&ring, "newer").await;
    }
    answer(waiting).await.refused(404, "message_not_found");

    // Expiry comes by itself.
    let short = owner.channel_with(json!({ "mode": "claimable", "ttl_seconds": 2 })).await;
    let began = Instant::now();
    let message = owner.post_message(&short, "nobody came").await;
    assert_eq!(answer(held(receipt(&owner, &message, "wait=25"))).await.ok(200)["state"], "expired");
    assert!(began.elapsed() > Duration::from_secs(1), "not before");
    fleet.finish().await;
}

#[tokio::test]
async fn a_revoked_key_is_told_nothing_however_long_it_waited() {
    let fleet = Fleet::start(2).await;
    let (owner, leaving, narrowed) = (fleet.agent("owner").await, fleet.agent("leaving").await, fleet.agent("narrowed").await);
    let channel = owner.channel("claimable").await;
    let message = owner.post_message(&channel, "a task").await;
    let [gone, narrow] = [&leaving, &narrowed].map(|agent| held(receipt(&agent.on(1), &message, "wait=25")));
    waiters(&fleet, &[0, 2]).await;
    leaving.on(0).delete("/v1/keys/me").await.ok(200);
    narrowed.on(0).put("/v1/keys/me/scopes", json!({ "scopes": ["messages:ack"] })).await.ok(200);
    tokio::time::sleep(Duration::from_millis(1100)).await; // so long a replica may believe what it knew
    owner.on(0).claim(&message).await.ok(200);
    ack(&owner.on(0), &message, "not for them").await.ok(200);
    answer(gone).await.refused(401, "unauthorized");
    answer(narrow).await.refused(403, "insufficient_scope");
    fleet.finish().await;
}

#[tokio::test]
async fn a_replica_that_leaves_answers_what_is_there_and_one_that_dies_is_replaced_by_asking_again() {
    let fleet = Fleet::start(3).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    worker.on(0).claim(&message).await.ok(200);
    let leaving = held(receipt(&poster.on(1), &message, "wait=25"));
    let (client, path) = (poster.on(2), format!("/v1/messages/{message}?wait=25"));
    let dying = tokio::spawn(async move { client.get(&path).attempt().await });
    let staying = held(receipt(&poster.on(0), &message, "wait=25"));
    waiters(&fleet, &[1, 1, 1]).await;
    assert!(fleet.terminate(1).await.success());
    assert_eq!(answer(leaving).await.ok(200)["state"], "claimed");
    fleet.kill9(2);
    dying.await.unwrap().map(|reply| reply.status).expect_err("nobody was there to answer");
    let again = held(receipt(&poster.on(0), &message, "wait=25"));
    waiters(&fleet, &[2]).await;
    ack(&worker.on(0), &message, "done all the same").await.ok(200);
    for waiter in [staying, again] {
        assert_eq!(answer(waiter).await.ok(200)["result"], "done all the same");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_cut_of_the_subscribing_connections_leaves_nobody_asleep() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    for round in 0..3 {
        let message = poster.post_message(&channel, "a task").await;
        worker.claim(&message).await.ok(200);
        let waiting: Vec<_> = (0..2).map(|replica| held(receipt(&poster.on(replica), &message, "wait=25"))).collect();
        waiters(&fleet, &[1, 1]).await;
        subscribed(&redis, &fleet, &message, 2).await;
        assert_eq!(cut_subscribers(&redis), 2);
        if round == 2 {
            // After they have come back: the subscriptions must have come back with them.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        ack(&worker, &message, "done").await.ok(200);
        for waiter in waiting {
            assert_eq!(answer(waiter).await.ok(200)["result"], "done");
        }
    }
    fleet.finish().await;
}

/// Nothing is published at all, and no connection breaks: only reading again from time to time helps.
#[tokio::test]
async fn a_lost_wake_up_is_made_good_by_reading_again() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50").start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    worker.claim(&message).await.ok(200);
    let waiter = held(receipt(&poster.on(1), &message, "wait=50"));
    waiters(&fleet, &[0, 1]).await;
    subscribed(&redis, &fleet, &message, 1).await;
    redis.run::<()>(&["ACL", "SETUSER", "default", "-spublish"]);
    ack(&worker.on(0), &message, "done").await.ok(200);
    let reply = tokio::time::timeout(Duration::from_secs(40), waiter).await.expect("it read again").unwrap();
    assert_eq!(reply.ok(200)["result"], "done");
    redis.run::<()>(&["ACL", "SETUSER", "default", "+spublish"]);
    fleet.finish().await;
}

#[tokio::test]
async fn who_finds_all_places_taken_is_answered_at_once_with_what_is_there() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_LONGPOLL_MAX_WAITERS", "1").start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let waiter = held(receipt(&poster, &message, "wait=25"));
    waiters(&fleet, &[1]).await;
    let seen: Value = receipt(&poster, &message, "wait=25").within(SOON).await.ok(200);
    assert_eq!(seen["state"], "open");
    worker.claim(&message).await.ok(200);
    worker.ack(&message).await.ok(200);
    assert_eq!(answer(waiter).await.ok(200)["state"], "done");
    fleet.finish().await;
}

/// Waits until so many replicas listen to what becomes of this message.
async fn subscribed(redis: &RedisServer, fleet: &Fleet, message: &str, replicas: i64) {
    let (channel, number) = message.strip_prefix("msg_").unwrap().split_at(20);
    let topic = format!("{}{{ch_{channel}}}:wake:{number}", fleet.prefix());
    eventually("the replicas have subscribed", SOON, || async {
        redis.run::<(String, i64)>(&["PUBSUB", "SHARDNUMSUB", &topic]).1 == replicas
    })
    .await;
}
