//! `POST /v1/messages/{id}/release`: the holder gives it back.

use serde_json::json;

use super::text;
use crate::support::fleet::Fleet;

#[tokio::test]
async fn only_the_holder_gives_a_message_back_and_then_anyone_can_take_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = format!("/v1/messages/{message}/release");

    worker.release(&message).await.refused(409, "not_claimed");
    worker.claim(&message).await.ok(200);
    assert_eq!(late.release(&message).await.refused(403, "forbidden")["claimed_by"], json!(worker.label));
    poster.release(&message).await.refused(403, "forbidden"); // nor who posted it, nor the channel's owner
    // Another actor of the key that holds it, one that is there.
    worker.post("/v1/actors", json!({ "name": "colleague" })).await.has_status(201);
    worker.post(&path, json!({ "actor": "colleague" })).await.refused(403, "forbidden");
    worker.post(&path, json!({ "actor": "never-seen" })).await.refused(404, "actor_not_found");

    let released = worker.on(0).release(&message).await.ok(200);
    let seen = &released["message"];
    assert_eq!((&released["status"], &seen["state"], &seen["attempt"]), (&json!("released"), &json!("open"), &json!(1)));
    assert!(seen["claimed_by"].is_null() && seen["claimed_by_key_id"].is_null() && seen["claimed_at"].is_null(), "{seen}");
    worker.release(&message).await.refused(409, "not_claimed");
    // At once, on the other replica, in the place it had: before what was posted after it.
    poster.post_message(&channel, "a younger task").await;
    let next = late.on(1).claim_next(&channel, json!({})).await.ok(200);
    assert_eq!((&next["claimed"]["id"], &next["attempt"]), (&json!(message), &json!(2)));

    // By id, under a lease; the ack of what was given back is refused.
    late.release(&message).await.ok(200);
    let leased = worker.claim_with_lease(&message, 60).await.ok(200);
    assert_eq!(leased["attempt"], 3);
    let token = text(&leased["lease_token"]);
    assert_eq!(worker.post(&path, json!({ "lease_token": token })).await.ok(200)["status"], "released");
    worker.ack(&message).await.refused(409, "not_claimed");
    assert_eq!(late.claim(&message).await.ok(200)["message"]["attempt"], 4);
    late.ack(&message).await.ok(200);
    late.release(&message).await.refused(409, "not_claimed");
    fleet.finish().await;
}

#[tokio::test]
async fn a_stale_token_gives_nothing_back_and_says_how_things_stand() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let (message, other) = (poster.post_message(&channel, "a task").await, poster.post_message(&channel, "another").await);
    let release = |token: &str| worker.post(&format!("/v1/messages/{message}/release"), json!({ "lease_token": token }));
    let stale = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    release(&stale).await.ok(200);

    let refusal = release(&stale).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(1), &json!("open")));
    let current = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    let refusal = release(&stale).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("claimed")));
    let of_other = text(&worker.claim_with_lease(&other, 60).await.ok(200)["lease_token"]);
    for wrong in [of_other.as_str(), "lease_", "nonsense", &format!("{stale}a")] {
        release(wrong).await.refused(409, "lease_lost");
    }
    worker.post(&format!("/v1/messages/{message}/release"), json!({ "lease_token": 7 })).await.refused(422, "invalid_string");
    // Nothing was changed by any of it: the current lease runs.
    worker.heartbeat(&current, 60).await.ok(200);
    worker.ack(&message).await.ok(200);
    let refusal = release(&current).await.refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("done")));
    fleet.finish().await;
}
