//! 32 retries at once over two replicas: one acts, all get its answer.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Ask;
use crate::support::fleet::Fleet;
use crate::support::keyspace;
use crate::support::reply::Reply;

async fn race(key: &str, status: u16, ask: impl Fn() -> Ask) -> Reply {
    let mut replies = join_all((0..32).map(|i| ask().once(key).on(i % 2).into_future())).await;
    let bodies: HashSet<&str> = replies.iter().map(|r| r.text.as_str()).collect();
    assert!(replies.iter().all(|r| r.status == status), "{key}: {bodies:#?}");
    assert_eq!(bodies.len(), 1, "{key}: all get the same answer: {bodies:#?}");
    assert_eq!(replies.iter().filter(|r| !r.is_replay()).count(), 1, "{key}: one acted");
    replies.swap_remove(0)
}

fn count(page: &Value) -> usize {
    page["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn retries_that_race_take_effect_once_and_all_get_the_answer() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    for round in 0..3 {
        let key = |what: &str| format!("{what} {round}");
        let posted = race(&key("post"), 201, || agent.post_to(&id, json!({ "content": "x" }))).await;
        assert_eq!(count(&agent.list(&id, "").await.ok(200)), round + 1);
        let message = posted.body["message"]["id"].as_str().unwrap();
        agent.post_message(&agent.channel("claimable").await, "elsewhere").await;

        let claimed = race(&key("claim"), 200, || agent.claim_with_lease(message, 60)).await;
        assert_eq!((&claimed.body["status"], &claimed.body["attempt"]), (&json!("claimed"), &json!(1)));
        race(&key("release"), 200, || agent.release(message)).await;
        let got = race(&key("claim next"), 200, || agent.claim_next(&id, json!({ "lease_seconds": 60 }))).await;
        assert_eq!((&got.body["claimed"]["id"], &got.body["attempt"]), (&json!(message), &json!(2)));
        let acked = race(&key("ack"), 200, || agent.ack(message)).await;
        assert_eq!(acked.body["status"], "acknowledged");
        assert_eq!(acked.body["message"]["acknowledged_by"].as_array().unwrap().len(), 1);

        let name = format!("created {round}");
        let made = race(&key("create"), 201, || agent.post("/v1/channels", json!({ "name": name, "mode": "broadcast" }))).await;
        assert_eq!(made.body["created"], true);
        let name = format!("on the fly {round}");
        let task = race(&key("task"), 201, || agent.post("/v1/tasks/post", json!({ "channel": name, "content": "x" }))).await;
        assert_eq!(count(&agent.list(task.body["channel"].as_str().unwrap(), "").await.ok(200)), 1);
    }
    let channels = keyspace::keys(&mut fleet.redis().conn(), &format!("{}{{ch_*}}:meta", fleet.prefix()));
    assert_eq!(channels.len(), 1 + 3 * 3, "no channel that nobody asked for: {channels:?}");
    fleet.finish().await;
}

#[tokio::test]
async fn different_requests_that_race_under_one_key_have_one_winner() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let racers = (0..16).map(|i| agent.post_to(&id, json!({ "content": format!("body {}", i % 4) })).once("k").on(i / 2 % 2).into_future());
    let replies = join_all(racers).await;
    assert_eq!(replies.iter().filter(|r| r.status == 201).count(), 4, "the four with the winner's body");
    assert!(replies.iter().all(|r| r.status == 201 || r.body["error"] == "idempotency_key_reused"));
    assert_eq!(count(&agent.list(&id, "").await.ok(200)), 1);
    fleet.finish().await;
}

#[tokio::test]
async fn a_waiting_claim_that_is_repeated_takes_one_message() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let wait = |replica| tokio::spawn(agent.claim_next(&id, json!({ "wait": 20 })).once("k").on(replica).into_future());
    let waiters: Vec<_> = (0..8).map(|i| wait(i % 2)).collect();
    for replica in 0..2 {
        let limit = std::time::Duration::from_secs(10);
        crate::support::wait::eventually("they wait", limit, || async { fleet.metric(replica, "backchannel_waiters").await == Some(4.0) })
            .await;
    }
    let messages = join_all((0..3).map(|_| agent.post_message(&id, "x"))).await;
    let tokens: HashSet<String> = join_all(waiters).await.into_iter().map(|r| r.unwrap().ok(200)["lease_token"].to_string()).collect();
    assert_eq!(tokens.len(), 1, "all hold the same lease");
    assert_eq!(count(&agent.list(&id, "status=unclaimed").await.ok(200)), messages.len() - 1);
    fleet.finish().await;
}
