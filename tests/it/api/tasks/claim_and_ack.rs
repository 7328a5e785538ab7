//! `POST /v1/tasks/claim-and-ack`, for older clients.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

fn claim_and_ack(agent: &Agent, body: Value) -> Ask {
    agent.post("/v1/tasks/claim-and-ack", body)
}

#[tokio::test]
async fn a_task_is_taken_and_done_in_one_step_once() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let channel = owner.channel("claimable").await;
    let id = owner.post_message(&channel, "a task").await;
    let body = json!({ "message_id": id, "actor": "hand", "metadata": { "a": 1 } });
    let reply = claim_and_ack(&worker.on(0), body.clone()).await.has_status(200);
    assert_eq!(reply.header("deprecation"), Some("@1761955200"));
    assert!(reply.header("sunset").is_some_and(|day| day.ends_with("GMT")), "{:?}", reply.headers);
    let links: Vec<&str> = reply.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let next = format!("<{}/v1/tasks/claim>; rel=\"successor-version\"", fleet.url(0));
    assert!(links.contains(&next.as_str()), "{links:?} has no {next}");
    let done = reply.ok(200);
    assert_eq!(done["status"], "claimed_and_acked");
    let message = &done["message"];
    assert_eq!((&message["state"], &message["attempt"], &message["claimed_by"]["name"]), (&json!("done"), &json!(1), &json!("hand")));
    assert_eq!((&message["claimed_by_key_id"], &message["acknowledged_by"][0]["name"]), (&json!(worker.key_id), &json!("hand")));

    assert_eq!(claim_and_ack(&worker.on(1), body).await.ok(200)["status"], "already_acknowledged");
    let refused = claim_and_ack(&owner, json!({ "message_id": id })).await.refused(409, "already_claimed");
    assert_eq!((&refused["claimed_by"], &refused["state"]), (&json!("hand"), &json!("done")));
    assert_eq!(owner.claim_next(&channel, json!({})).await.ok(200)["claimed"], Value::Null);
    fleet.finish().await;
}

#[tokio::test]
async fn what_somebody_holds_is_refused_and_what_one_holds_is_finished() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let channel = owner.channel("claimable").await;
    let (held, leased) = (owner.post_message(&channel, "held").await, owner.post_message(&channel, "leased").await);
    worker.claim(&held).await.ok(200);
    worker.claim_with_lease(&leased, 60).await.ok(200);
    claim_and_ack(&owner, json!({ "message_id": held })).await.refused(409, "already_claimed");
    claim_and_ack(&worker, json!({ "message_id": leased })).await.refused(409, "already_claimed");
    let done = claim_and_ack(&worker, json!({ "message_id": held })).await.ok(200);
    assert_eq!((&done["status"], &done["message"]["attempt"]), (&json!("claimed_and_acked"), &json!(1)));

    let news = owner.channel("broadcast").await;
    let item = owner.post_message(&news, "news").await;
    claim_and_ack(&worker, json!({ "message_id": item })).await.refused(409, "channel_not_claimable");
    let restricted = owner.restricted("claimable").await;
    let secret = owner.post_message(&restricted, "x").await;
    claim_and_ack(&worker, json!({ "message_id": secret })).await.refused(403, "channel_access_denied");
    let foreign = owner.post("/v1/actors", json!({ "name": "mine" })).await.ok(201);
    claim_and_ack(&worker, json!({ "message_id": item, "actor": foreign["id"] })).await.refused(403, "actor_forbidden");
    for (body, status, code) in [
        (json!({}), 422, "missing_field"),
        (json!({ "message_id": 7 }), 422, "invalid_string"),
        (json!({ "message_id": "msg_x" }), 404, "message_not_found"),
        (json!({ "message_id": "msg_aaaaaaaaaaaaaaaaaaaa1760000000123456" }), 404, "message_not_found"),
        (json!({ "message_id": item, "metadata": [] }), 422, "invalid_object"),
    ] {
        let reply = claim_and_ack(&worker, body).await;
        assert!(reply.header("deprecation").is_some(), "refusals, too");
        reply.refused(status, code);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn of_many_that_race_on_two_replicas_one_has_it_and_a_retry_is_replayed() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let channel = owner.channel("claimable").await;
    for _ in 0..10 {
        let id = owner.post_message(&channel, "a task").await;
        let asks =
            (0..10).map(|n| claim_and_ack(&owner.on(n % 2), json!({ "message_id": id, "actor": format!("racer-{n}") })).into_future());
        let answers = join_all(asks).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)));
    }
    let id = owner.post_message(&channel, "a task").await;
    let ask = |replica: usize| claim_and_ack(&owner.on(replica), json!({ "message_id": id })).once("k");
    let (first, again) = (ask(0).await.has_status(200), ask(1).await.has_status(200));
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(again.text, first.text);
    fleet.finish().await;
}
