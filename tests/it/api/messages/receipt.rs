//! `GET /v1/messages/{message_id}`: what became of a message.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;

/// Half of what a wait here may last: without one a busy machine takes some seconds, at most.
const AT_ONCE: Duration = Duration::from_secs(12);

fn receipt(agent: &Agent, message: &str, query: &str) -> Ask {
    agent.get(&format!("/v1/messages/{message}?{query}"))
}

fn without_result(receipt: &Value) -> bool {
    ["result", "result_at", "result_by", "result_by_key_id"].iter().all(|name| receipt.get(*name) == Some(&Value::Null))
}

#[tokio::test]
async fn a_receipt_is_the_message_with_what_became_of_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let body = json!({ "content": "a task", "metadata": { "n": 1 } });
    let posted = poster.post_to(&channel, body).await.ok(201)["message"].clone();
    let message = posted["id"].as_str().unwrap();

    let open = receipt(&poster.on(1), message, "").await.ok(200);
    assert!(without_result(&open), "{open}");
    for (name, value) in posted.as_object().unwrap() {
        assert_eq!(&open[name], value, "{name}");
    }
    let leased = worker.claim_with_lease(message, 60).await.ok(200);
    let claimed = receipt(&poster, message, "").await.ok(200);
    let held = ["state", "attempt", "claimed_by_key_id", "lease_expires_at", "claimed_at", "claimed_by"];
    assert_eq!(
        (&claimed["state"], &claimed["attempt"], &claimed["claimed_by_key_id"]),
        (&json!("claimed"), &json!(1), &json!(worker.key_id))
    );
    assert!(held.iter().all(|name| claimed[name] == leased["message"][name]), "{claimed}");
    assert!(
        !claimed.to_string().contains(leased["lease_token"].as_str().unwrap().rsplit_once('_').unwrap().1),
        "the token is its holder's"
    );

    let ack = json!({ "lease_token": leased["lease_token"], "result": "  what came out\n" });
    worker.post(&format!("/v1/messages/{message}/ack"), ack).await.ok(200);
    let done = receipt(&poster.on(0), message, "").await.ok(200);
    assert_eq!(
        (&done["state"], &done["result"], &done["result_by_key_id"]),
        (&json!("done"), &json!("what came out"), &json!(worker.key_id))
    );
    assert_eq!((&done["result_by"], &done["result_at"]), (&done["claimed_by"], &done["acknowledged_by"][0]["occurred_at"]));

    // In the history, and past it.
    let waiting_for_nobody = poster.post_message(&channel, "nobody came").await;
    let meta = format!("{}{{{channel}}}:meta", fleet.prefix());
    set_of_channel(fleet.redis(), &meta, "ttl", "0");
    let late = receipt(&poster, message, "").await.ok(200);
    assert_eq!((&late["state"], &late["active"], &late["result"]), (&json!("done"), &json!(false), &done["result"]));
    assert_eq!(late["archived_at"], late["expires_at"]);
    assert_eq!(receipt(&poster, &waiting_for_nobody, "wait=25").await.ok(200)["state"], "expired");
    set_of_channel(fleet.redis(), &meta, "retention", "0");
    receipt(&poster, message, "").await.refused(404, "message_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn a_retracted_message_says_so_and_has_no_content() {
    let fleet = Fleet::start(2).await;
    let (poster, other) = (fleet.agent("poster").await, fleet.agent("other").await);
    let channel = poster.channel("broadcast").await;
    let posted = poster.post_to(&channel, json!({ "content": "plutonium", "actor_label": "plutonium" })).await.ok(201)["message"].clone();
    let message = posted["id"].as_str().unwrap();
    other.post(&format!("/v1/messages/{message}/ack"), json!({ "result": "plutonium" })).await.ok(200);
    poster.delete(&format!("/v1/messages/{message}")).await.ok(200);
    for agent in [&poster.on(0), &other.on(1)] {
        let said = receipt(agent, message, "wait=25").await.ok(200);
        let of = |name: &str| posted[name].clone();
        let expected = json!({ "id": message, "channel_id": channel, "state": "retracted", "active": false, "created_at": of("created_at"),
            "expires_at": of("expires_at") });
        assert_eq!(said, expected);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn only_who_can_read_the_channel_is_told_anything() {
    let fleet = Fleet::start(2).await;
    let (owner, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let channel = owner.restricted("claimable").await;
    let [live, retracted] = [owner.post_message(&channel, "a task").await, owner.post_message(&channel, "taken back").await];
    owner.delete(&format!("/v1/messages/{retracted}")).await.ok(200);
    for message in [&live, &retracted] {
        for query in ["", "wait=25"] {
            receipt(&stranger, message, query).await.refused(403, "channel_access_denied");
        }
    }
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": stranger.key_id })).await.ok(201);
    assert_eq!(receipt(&stranger, &live, "").await.ok(200)["state"], "open");

    for nonsense in ["msg_x", "nonsense", "msg_abcdefghij23456723451760000000123456", &live.replace("msg_", "msg_a")] {
        receipt(&owner, nonsense, "wait=25").await.refused(404, "message_not_found");
    }
    fleet.client().get(&format!("/v1/messages/{live}")).await.refused(401, "unauthorized");
    owner.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    receipt(&owner, &live, "wait=25").await.refused(404, "message_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn a_wait_holds_until_that_state_and_else_as_long_as_was_asked() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let timed = async |query: &str, waits: bool| {
        let began = Instant::now();
        let state = receipt(&poster, &message, query).await.ok(200)["state"].as_str().unwrap().to_owned();
        let took = began.elapsed();
        let fits = if waits { took >= Duration::from_millis(300) } else { took < AT_ONCE };
        assert!(fits, "{query}: {took:?}");
        state
    };
    for (query, waits) in [("wait=0.3", true), ("wait=0.3&until=claimed", true), ("wait=0.3&until=done", true), ("until=done", false)] {
        assert_eq!(timed(query, waits).await, "open", "{query}");
    }
    worker.claim(&message).await.ok(200);
    for (query, waits) in [("wait=0.3", true), ("wait=25&until=claimed", false)] {
        assert_eq!(timed(query, waits).await, "claimed", "{query}");
    }
    worker.ack(&message).await.ok(200);
    for query in ["wait=25", "wait=25&until=claimed"] {
        assert_eq!(timed(query, false).await, "done", "{query}");
    }

    // A broadcast is never claimed nor done: the first ack is what one can wait for.
    let news = poster.channel("broadcast").await;
    let message = poster.post_message(&news, "news").await;
    let began = Instant::now();
    assert_eq!(receipt(&poster, &message, "wait=0.3").await.ok(200)["state"], "open");
    assert!(began.elapsed() >= Duration::from_millis(300));
    worker.post(&format!("/v1/messages/{message}/ack"), json!({ "result": "seen" })).await.ok(200);
    let seen = receipt(&poster, &message, "wait=25").within(AT_ONCE).await.ok(200);
    assert_eq!((&seen["state"], &seen["result"]), (&json!("open"), &json!("seen")));
    fleet.finish().await;
}
