//! `POST /v1/messages/{id}/claim-with-lease`: a claim that gives the message back by itself.

use serde_json::json;

use super::{text, unclaimed};
use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_lease_is_answered_with_its_token_its_end_and_the_attempt() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;

    let leased = worker.claim_with_lease(&message, 30).await.ok(200);
    assert_eq!((&leased["status"], &leased["attempt"], &leased["message"]["attempt"]), (&json!("claimed"), &json!(1), &json!(1)));
    assert!(text(&leased["lease_token"]).len() > 40);
    assert_eq!(leased["expires_at"], leased["lease_expires_at"], "the older clients' name for it");
    assert_eq!(leased["message"]["lease_expires_at"], leased["lease_expires_at"]);
    assert_eq!(leased["message"]["claimed_by_key_id"], json!(worker.key_id));
    assert_eq!(seconds_between(&leased["message"]["claimed_at"], &leased["lease_expires_at"]), 30.0);

    // One process holds it: under a running lease the same actor is refused like everybody else.
    worker.claim_with_lease(&message, 30).await.refused(409, "already_claimed");
    worker.claim(&message).await.refused(409, "already_claimed");
    late.claim_with_lease(&message, 30).await.refused(409, "already_claimed");
    // The token is the holder's alone: others see the claim, not the proof.
    let listed = late.list(&channel, "status=claimed").await;
    assert!(!listed.text.contains(&text(&leased["lease_token"])[41..]), "{}", listed.text);

    // 300 seconds unless said, 1 to 3600.
    let message = poster.post_message(&channel, "a task").await;
    let path = format!("/v1/messages/{message}/claim-with-lease");
    for bad in [json!(0), json!(3601), json!(-1), json!(1.5), json!("30"), json!(true), json!([]), json!(1e30)] {
        let refusal = worker.post(&path, json!({ "lease_seconds": bad })).await.refused(422, "invalid_lease_seconds");
        assert_eq!((&refusal["field"], &refusal["min"], &refusal["max"]), (&json!("lease_seconds"), &json!(1), &json!(3600)));
    }
    let leased = worker.post(&path, json!({ "lease_seconds": null })).await.ok(200);
    assert_eq!(seconds_between(&leased["message"]["claimed_at"], &leased["lease_expires_at"]), 300.0);
    for most in [1, 3600] {
        let message = poster.post_message(&channel, "a task").await;
        let leased = worker.claim_with_lease(&message, most).await.ok(200);
        assert_eq!(seconds_between(&leased["message"]["claimed_at"], &leased["lease_expires_at"]), f64::from(most));
    }
    fleet.finish().await;
}

#[tokio::test]
async fn when_a_lease_ends_without_ack_the_message_is_anybodys_at_once() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    // A channel for each way to see it, since some of them write what they see.
    let (mut messages, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let channel = poster.channel("claimable").await;
        let message = poster.post_message(&channel, "a task").await;
        tokens.push(text(&worker.claim_with_lease(&message, 600).await.ok(200)["lease_token"]));
        messages.push((channel, message));
    }
    let [by_id, by_next, by_list, by_its_holder] = &messages[..] else { unreachable!() };
    assert!(poster.list(&by_list.0, "status=unclaimed").await.ok(200)["data"] == json!([]));
    // Only now they are made to end soon: a busy machine would not get all of that done in seconds.
    for token in &tokens {
        worker.heartbeat(token, 1).await.ok(200);
    }
    // The plain list only computes, so it changes nothing for the others: it says when the time has come.
    for (channel, _) in &messages {
        super::eventually("the lease has ended", super::SOON, || async {
            poster.list(channel, "").await.ok(200)["data"][0]["state"] == "open"
        })
        .await;
    }

    let second = late.on(0).claim_with_lease(&by_id.1, 30).await.ok(200);
    assert_eq!((&second["status"], &second["attempt"]), (&json!("claimed"), &json!(2)));
    let second = late.on(1).claim_next(&by_next.0, json!({ "lease_seconds": 30 })).await.ok(200);
    assert_eq!((&second["claimed"]["id"], &second["attempt"]), (&json!(by_next.1), &json!(2)));
    assert_eq!(late.list(&by_list.0, "status=claimed").await.ok(200)["data"], json!([]));
    let open = late.list(&by_list.0, "status=unclaimed").await.ok(200);
    let seen = &open["data"][0];
    assert_eq!((&seen["id"], &seen["state"], &seen["attempt"]), (&json!(by_list.1), &json!("open"), &json!(1)));
    assert!(seen["claimed_by"].is_null() && seen["claimed_by_key_id"].is_null() && seen["lease_expires_at"].is_null(), "{seen}");
    // Its holder may take it again too; that is a new claim. A plain one then holds until ack.
    assert_eq!(worker.claim(&by_its_holder.1).await.ok(200)["message"]["attempt"], 2);
    assert_eq!(worker.claim(&by_its_holder.1).await.ok(200)["status"], "already_claimed");
    fleet.finish().await;
}

#[tokio::test]
async fn an_acked_message_never_comes_back_when_its_lease_would_have_ended() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let (done, lapsing) = (poster.post_message(&channel, "done").await, poster.post_message(&channel, "lapsing").await);
    worker.claim_with_lease(&done, 8).await.ok(200);
    worker.ack(&done).await.ok(200);
    worker.claim_with_lease(&lapsing, 8).await.ok(200);
    // The second lease ends after the first would have: once it is back, the first must not be.
    unclaimed(&poster, &channel, 1).await;
    let open = poster.list(&channel, "status=unclaimed").await.ok(200);
    assert_eq!(open["data"][0]["id"], json!(lapsing));
    let next = poster.claim_next(&channel, json!({ "max": 10 })).await.ok(200);
    assert_eq!((next["claims"].as_array().map(Vec::len), &next["claimed"]["id"]), (Some(1), &json!(lapsing)));
    assert_eq!(poster.list(&channel, "").await.ok(200)["data"][0]["state"], "done");
    fleet.finish().await;
}

fn seconds_between(from: &serde_json::Value, to: &serde_json::Value) -> f64 {
    let at = |time: &serde_json::Value| text(time).parse::<jiff::Timestamp>().unwrap().as_microsecond();
    (at(to) - at(from)) as f64 / 1e6
}
