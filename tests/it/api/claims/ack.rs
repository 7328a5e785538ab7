//! `POST /v1/messages/{id}/ack`: the work is done.

use futures::future::join_all;
use serde_json::json;

use super::text;
use crate::support::fleet::Fleet;

#[tokio::test]
async fn only_the_holder_says_that_a_task_is_done_and_that_ends_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = format!("/v1/messages/{message}/ack");

    worker.ack(&message).await.refused(409, "not_claimed");
    let token = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    assert_eq!(late.ack(&message).await.refused(409, "already_claimed")["claimed_by"], json!(worker.label));
    poster.ack(&message).await.refused(409, "already_claimed");
    worker.post(&path, json!({ "actor": "colleague" })).await.refused(409, "already_claimed");
    // A token that is right, but sent by another key.
    late.post(&path, json!({ "lease_token": token })).await.refused(409, "lease_lost");

    let done = worker.on(0).post(&path, json!({ "lease_token": token })).await.ok(200);
    let seen = &done["message"];
    assert_eq!((&done["status"], &seen["state"]), (&json!("acknowledged"), &json!("done")));
    assert!(seen["lease_expires_at"].is_null(), "the lease is over: {seen}");
    assert_eq!(seen["acknowledged_by"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["acknowledged_by"][0]["name"], json!(worker.label));
    assert!(seen["acknowledged_by"][0]["occurred_at"].is_string() && seen["acknowledged_by"][0]["id"] == seen["claimed_by"]["id"]);

    // Again, with and without the token, on the other replica: nothing more happens.
    for body in [json!({}), json!({ "lease_token": token })] {
        let again = worker.on(1).post(&path, body).await.ok(200);
        assert_eq!((&again["status"], &again["message"]), (&json!("already_acknowledged"), seen));
    }
    late.ack(&message).await.refused(409, "already_claimed");
    // It stays listed until it expires, as claimed.
    assert_eq!(poster.list(&channel, "status=claimed").await.ok(200)["data"], json!([seen]));
    assert_eq!(poster.list(&channel, "status=unclaimed").await.ok(200)["data"], json!([]));
    assert!(late.claim_next(&channel, json!({})).await.ok(200)["claimed"].is_null());
    fleet.finish().await;
}

#[tokio::test]
async fn after_a_release_the_old_holder_can_no_longer_say_done() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = format!("/v1/messages/{message}/ack");
    let token = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    worker.release(&message).await.ok(200);
    worker.ack(&message).await.refused(409, "not_claimed");
    let refusal = worker.post(&path, json!({ "lease_token": token })).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(1), &json!("open")));
    late.claim(&message).await.ok(200);
    worker.ack(&message).await.refused(409, "already_claimed");
    let refusal = worker.post(&path, json!({ "lease_token": token })).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("claimed")));
    worker.post(&path, json!({ "lease_token": ["x"] })).await.refused(422, "invalid_string");
    late.ack(&message).await.ok(200);
    let refusal = worker.post(&path, json!({ "lease_token": token })).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("done")));
    fleet.finish().await;
}

#[tokio::test]
async fn whoever_reads_a_broadcast_can_ack_it_once_an_actor() {
    let fleet = Fleet::start(2).await;
    let (poster, reader, other) = (fleet.agent("poster").await, fleet.agent("reader").await, fleet.agent("other").await);
    let channel = poster.channel("broadcast").await;
    let message = poster.post_message(&channel, "news").await;
    let path = format!("/v1/messages/{message}/ack");
    for agent in [&reader, &other, &poster] {
        assert_eq!(agent.ack(&message).await.ok(200)["status"], "acknowledged");
        assert_eq!(agent.ack(&message).await.ok(200)["status"], "already_acknowledged");
    }
    reader.post(&path, json!({ "actor": "second" })).await.ok(200);
    let twice = reader.post(&path, json!({ "actor": "second" })).await.ok(200);
    assert_eq!(twice["status"], "already_acknowledged");
    let names: Vec<_> = twice["message"]["acknowledged_by"].as_array().unwrap().iter().map(|ack| text(&ack["name"])).collect();
    assert_eq!(names, [&reader.label, &other.label, &poster.label, "second"]);
    assert_eq!(twice["message"]["state"], "open", "a broadcast is never done");
    assert!(twice["message"]["claimed_by"].is_null());

    let restricted = poster.restricted("broadcast").await;
    let message = poster.post_message(&restricted, "for members").await;
    reader.ack(&message).await.refused(403, "channel_access_denied");
    fleet.finish().await;
}

#[tokio::test]
async fn a_broadcast_takes_a_thousand_acks() {
    let fleet = Fleet::start(2).await;
    let readers = [fleet.agent("reader").await, fleet.agent("other").await];
    let channel = readers[0].channel("broadcast").await;
    let message = readers[0].post_message(&channel, "news").await;
    let path = format!("/v1/messages/{message}/ack");
    // Half of them by each key: a key has at most so many actors.
    let ack = |n: usize| readers[n % 2].post(&path, json!({ "actor": format!("actor-{n}") }));
    for first in (0..1000).step_by(50) {
        for answer in join_all((first..first + 50).map(|n| async move { ack(n).await })).await {
            answer.ok(200);
        }
    }
    ack(1000).await.refused(409, "too_many_acks");
    assert_eq!(ack(7).await.ok(200)["status"], "already_acknowledged");
    fleet.finish().await;
}
