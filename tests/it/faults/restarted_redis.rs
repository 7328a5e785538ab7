//! Redis dies and comes back: with what it had written, or with nothing.

use std::time::Duration;

use serde_json::json;

use super::ledger::{Outcome, THROUGH_IT_ALL, Traffic, Waiters, burst, patient_fleet, whole_again};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn everything_that_was_answered_is_there_after_a_crash_of_a_redis_that_writes_it_down() {
    let redis = RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;

    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let traffic = Traffic::start(&agent, &channel, 6, 4);
    tokio::time::sleep(Duration::from_millis(700)).await;
    redis.kill9();
    let refused = burst(&fleet, &agent, &channel).await;
    redis.restart();
    whole_again(&fleet, &agent, Some(waiters)).await;
    let mut ledger = traffic.stop().await;
    assert!(!ledger.posted.is_empty() && !ledger.codes.is_empty());
    ledger.add(refused);
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

#[tokio::test]
async fn after_a_redis_that_came_back_empty_clients_are_told_so_and_can_begin_anew() {
    let redis = RedisServer::start_private(&[]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let message = agent.post_message(&channel, "lost").await;
    let token = agent.claim_with_lease(&message, 300).await.ok(200)["lease_token"].as_str().expect("a token").to_owned();

    let waiters = Waiters::start(&fleet, &agent, 25).await;
    redis.restart();
    // They are answered that it is all gone, soon, and not when their time is up.
    let gone = tokio::time::timeout(Duration::from_secs(15), waiters.answers()).await;
    for outcome in gone.expect("waiters do not wait for what is gone") {
        let told = matches!(&outcome, Outcome::No(401, word) if word == "unauthorized")
            || matches!(&outcome, Outcome::No(404, word) if word == "channel_not_found")
            || outcome.is_503();
        assert!(told, "a waiter was answered {outcome:?}");
    }
    let (agent, channel, message, token) = (&agent, &channel, &message, &token);
    for replica in 0..fleet.size() {
        eventually("the old key is refused", Duration::from_secs(15), || async move {
            matches!(Outcome::of(agent.on(replica).get("/v1/keys/me")).await, Outcome::No(401, word) if word == "unauthorized")
        })
        .await;
    }
    let anew = fleet.agent("anew").await;
    anew.list(channel, "wait=5").await.refused(404, "channel_not_found");
    anew.claim(message).await.refused(404, "message_not_found");
    anew.post_to(channel, json!({ "content": "to nobody" })).await.refused(404, "channel_not_found");
    anew.heartbeat(token, 60).await.refused(410, "lease_expired");
    whole_again(&fleet, &anew, None).await;
    fleet.finish().await;
}
