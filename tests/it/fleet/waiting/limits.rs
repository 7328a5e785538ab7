//! How long and how many may wait.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{SOON, answer, contents, held, waiters};
use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_wait_lasts_as_long_as_was_asked_and_ends_with_nothing() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let cursor = "2026-01-01T00:00:00.000000Z";
    for (wait, at_least) in [("0", 0.0), ("0.0", 0.0), ("0.4", 0.4), ("1.2", 1.2), ("", 0.0)] {
        let began = Instant::now();
        let page = agent.list(&channel, &format!("cursor={cursor}&wait={wait}")).within(SOON).await.ok(200);
        assert_eq!((&page["data"], &page["next_cursor"]), (&json!([]), &json!(cursor)), "what was sent comes back");
        assert!(began.elapsed() >= Duration::from_secs_f64(at_least), "wait={wait}: {:?}", began.elapsed());
    }
    let began = Instant::now();
    assert!(agent.claim_next(&channel, json!({ "wait": 0.4 })).within(SOON).await.ok(200)["claimed"].is_null());
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert!(agent.list(&channel, "wait=0.2").await.ok(200)["next_cursor"].is_null(), "nothing sent, nothing there");
    for bad in ["-1", "soon", "NaN", "inf", "1e999"] {
        assert_eq!(agent.list(&channel, &format!("wait={bad}")).await.refused(422, "invalid_field")["field"], "wait");
    }
    // It blocks only when there is nothing.
    agent.post_message(&channel, "a task").await;
    assert_eq!(contents(&agent.list(&channel, "wait=25").within(SOON).await.ok(200)), ["a task"]);
    fleet.finish().await;
}

#[tokio::test]
async fn the_operator_caps_how_long_a_wait_lasts() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "1").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let began = Instant::now();
    let (list, claim, subscribe) = tokio::join!(
        agent.list(&channel, "wait=50").within(SOON).into_future(),
        agent.claim_next(&channel, json!({ "wait": 1e9 })).within(SOON).into_future(),
        agent.post("/v1/tasks/subscribe", json!({ "channel": channel, "wait": 50 })).within(SOON).into_future(),
    );
    assert_eq!((list.ok(200)["data"].clone(), subscribe.ok(200)["data"].clone()), (json!([]), json!([])));
    assert!(claim.ok(200)["claimed"].is_null());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    fleet.finish().await;
}

#[tokio::test]
async fn an_instance_without_long_poll_answers_at_once() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_LONGPOLL_ENABLED", "false").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    assert_eq!(agent.list(&channel, "wait=25").within(SOON).await.ok(200)["data"], json!([]));
    assert!(agent.claim_next(&channel, json!({ "wait": 25 })).within(SOON).await.ok(200)["claimed"].is_null());
    // A claim with wait takes a lease here too.
    agent.post_message(&channel, "a task").await;
    assert!(agent.claim_next(&channel, json!({ "wait": 25 })).await.ok(200)["lease_token"].is_string());
    fleet.finish().await;
}

#[tokio::test]
async fn who_finds_all_places_taken_is_answered_at_once() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAITERS", "2").start().await;
    let (poster, agent) = (fleet.agent("poster").await, fleet.agent("agent").await);
    let (channel, other) = (poster.channel("claimable").await, poster.channel("claimable").await);
    let claimer = held(agent.on(0).claim_next(&channel, json!({ "wait": 25 })));
    let reader = held(agent.on(0).list(&channel, "wait=25"));
    waiters(&fleet, &[2, 0]).await;
    // Whichever channel, whichever kind.
    assert_eq!(agent.on(0).list(&other, "wait=25").within(SOON).await.ok(200)["data"], json!([]));
    assert!(agent.on(0).claim_next(&channel, json!({ "wait": 25 })).within(SOON).await.ok(200)["claimed"].is_null());
    // The other replica has places of its own.
    let elsewhere = held(agent.on(1).list(&channel, "wait=25"));
    waiters(&fleet, &[2, 1]).await;
    poster.post_message(&channel, "a task").await;
    assert_eq!(answer(claimer).await.ok(200)["claimed"]["content"], "a task");
    assert_eq!(contents(&answer(reader).await.ok(200)), ["a task"]);
    assert_eq!(contents(&answer(elsewhere).await.ok(200)), ["a task"]);
    // Their places are free again.
    let reader = held(agent.on(0).list(&other, "wait=25"));
    waiters(&fleet, &[1, 0]).await;
    poster.post_message(&other, "one more").await;
    assert_eq!(contents(&answer(reader).await.ok(200)), ["one more"]);
    fleet.finish().await;
}

#[tokio::test]
async fn one_key_cannot_take_all_places() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAITERS_PER_KEY", "2").start().await;
    let (greedy, agent) = (fleet.agent("greedy").await, fleet.agent("agent").await);
    let channel = agent.channel("claimable").await;
    let first = held(greedy.on(0).list(&channel, "wait=25"));
    let second = held(greedy.on(0).claim_next(&channel, json!({ "wait": 25 })));
    waiters(&fleet, &[2, 0]).await;
    assert_eq!(greedy.on(0).list(&channel, "wait=25").within(SOON).await.ok(200)["data"], json!([]));
    assert!(greedy.on(0).claim_next(&channel, json!({ "wait": 25 })).within(SOON).await.ok(200)["claimed"].is_null());
    assert_eq!(greedy.on(0).get("/v1/account/usage").await.ok(200)["used"]["waiters_per_key"], 2);
    let third = held(agent.on(0).list(&channel, "wait=25"));
    waiters(&fleet, &[3, 0]).await;
    agent.post_message(&channel, "a task").await;
    assert_eq!(answer(second).await.ok(200)["claimed"]["content"], "a task");
    for reader in [first, third] {
        assert_eq!(contents(&answer(reader).await.ok(200)), ["a task"]);
    }
    let again = held(greedy.on(0).claim_next(&channel, json!({ "wait": 25 })));
    waiters(&fleet, &[1, 0]).await;
    agent.post_message(&channel, "one more").await;
    assert_eq!(answer(again).await.ok(200)["claimed"]["content"], "one more");
    fleet.finish().await;
}
