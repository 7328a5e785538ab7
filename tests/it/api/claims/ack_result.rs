//! `POST /v1/messages/{id}/ack` with `result`: what came out.

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

fn ack(agent: &Agent, message: &str, body: Value) -> Ask {
    agent.post(&format!("/v1/messages/{message}/ack"), body)
}

async fn result(agent: &Agent, message: &str) -> Value {
    agent.get(&format!("/v1/messages/{message}")).await.ok(200)["result"].clone()
}

#[tokio::test]
async fn a_result_is_kept_once_and_nothing_that_comes_later_changes_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    ack(&worker, &message, json!({ "result": "too early" })).await.refused(409, "not_claimed");
    worker.claim(&message).await.ok(200);
    ack(&late, &message, json!({ "result": "not mine" })).await.refused(409, "already_claimed");
    assert_eq!(result(&poster, &message).await, Value::Null);

    let first = json!({ "result": "first" });
    let done = ack(&worker.on(0), &message, first.clone()).once("k").await.ok(200);
    assert_eq!((&done["status"], done["message"].get("result")), (&json!("acknowledged"), None), "the receipt shows it");
    let replay = ack(&worker.on(1), &message, first).once("k").await.has_status(200);
    assert!(replay.is_replay());
    ack(&worker, &message, json!({ "result": "another" })).once("k").await.refused(422, "idempotency_key_reused");
    for body in [json!({ "result": "second" }), json!({})] {
        assert_eq!(ack(&worker, &message, body).await.ok(200)["status"], "already_acknowledged");
    }
    ack(&late, &message, json!({ "result": "late" })).await.refused(409, "already_claimed");
    assert_eq!(result(&poster, &message).await, "first");
    for query in ["", "status=claimed"] {
        assert_eq!(poster.list(&channel, query).await.ok(200)["data"][0].get("result"), None, "lists do not carry it");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_result_is_text_as_long_as_a_message_may_be() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_MESSAGE_BYTES", "1000").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let [longest, empty] = [agent.post_message(&channel, "a task").await, agent.post_message(&channel, "another").await];
    agent.claim(&longest).await.ok(200);
    agent.claim(&empty).await.ok(200);
    let refused = ack(&agent, &longest, json!({ "result": "é".repeat(501) })).await.refused(422, "content_too_large");
    assert_eq!(
        (&refused["field"], &refused["max_content_bytes"], &refused["received_bytes"]),
        (&json!("result"), &json!(1000), &json!(1002))
    );
    assert!(refused["message"].as_str().unwrap().contains("result"), "{refused}");
    for wrong in [json!(1), json!({}), json!(["a"]), json!(true)] {
        assert_eq!(ack(&agent, &longest, json!({ "result": wrong })).await.refused(422, "invalid_string")["field"], "result");
    }
    assert_eq!(agent.get(&format!("/v1/messages/{longest}")).await.ok(200)["state"], "claimed", "nothing of it was done");
    let text = format!("  {}\u{1f}\n{}  ", "é".repeat(400), "x".repeat(198));
    ack(&agent, &longest, json!({ "result": text })).await.ok(200);
    assert_eq!(result(&agent, &longest).await, text.trim());
    ack(&agent, &empty, json!({ "result": "  " })).await.ok(200);
    assert_eq!(result(&agent, &empty).await, Value::Null, "empty is none");
    fleet.finish().await;
}

#[tokio::test]
async fn of_a_broadcast_the_first_result_stays() {
    let fleet = Fleet::start(2).await;
    let (poster, silent, first, second) =
        (fleet.agent("poster").await, fleet.agent("silent").await, fleet.agent("first").await, fleet.agent("second").await);
    let channel = poster.channel("broadcast").await;
    let message = poster.post_message(&channel, "news").await;
    ack(&silent, &message, json!({})).await.ok(200);
    ack(&first, &message, json!({ "result": "first" })).await.ok(200);
    ack(&second, &message, json!({ "result": "second" })).await.ok(200);
    let receipt = poster.get(&format!("/v1/messages/{message}")).await.ok(200);
    assert_eq!((&receipt["result"], &receipt["result_by_key_id"]), (&json!("first"), &json!(first.key_id)));
    assert_eq!(receipt["acknowledged_by"].as_array().map(Vec::len), Some(3));
    fleet.finish().await;
}
