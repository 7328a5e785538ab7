//! The sandbox: one for the whole fleet, offered by the replicas, with one bot in the workers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::{Builder, Fleet};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

const LABEL: &str = "sandbox-heartbeat-bot";
/// The lease of the worker that posts ends by itself after 10 s; the rest is for a busy machine.
const REPLACED_WITHIN: Duration = Duration::from_secs(40);
const SOON: Duration = Duration::from_secs(30);

fn fleet() -> Builder {
    Fleet::builder()
        .env("BACKCHANNEL_SANDBOX", "true")
        .env("BACKCHANNEL_ADMIN_TOKEN", "operator")
        .env("BACKCHANNEL_SANDBOX_HEARTBEAT_SECONDS", "1")
}

async fn messages(agent: &Agent) -> Vec<Value> {
    let page = agent.list("sandbox", "limit=100").await.ok(200);
    page["data"].as_array().expect("a page").clone()
}

/// The heartbeats among them, by when they were posted (ms since the first).
async fn heartbeats(agent: &Agent) -> Vec<String> {
    let all = messages(agent).await;
    all.iter().filter(|m| m["metadata"]["heartbeat"] == true).map(|m| m["created_at"].as_str().expect("a time").to_owned()).collect()
}

async fn at_least(agent: &Agent, count: usize, limit: Duration) {
    eventually("the heartbeats go on", limit, || async { heartbeats(agent).await.len() >= count }).await;
}

fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("a time").as_microsecond()
}

async fn two_workers(fleet: &Fleet) -> [Worker; 2] {
    [Worker::start(fleet, &[]).await, Worker::start(fleet, &[]).await]
}

/// The Redis key of this sandbox that ends so.
fn key(fleet: &Fleet, channel: &str, suffix: &str) -> String {
    format!("{}{{{channel}}}:{suffix}", fleet.prefix())
}

#[tokio::test]
async fn both_replicas_offer_one_sandbox_and_one_worker_posts() {
    let fleet = fleet().start().await;
    let agent = fleet.agent("visitor").await;
    eventually("replicas make it", SOON, || async { agent.get("/v1/channels/sandbox").await.status == 200 }).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(heartbeats(&agent).await.len(), 0, "replicas post none");
    let _workers = two_workers(&fleet).await;
    at_least(&agent, 3, SOON).await;
    let sandbox = agent.on(0).get("/v1/channels/sandbox").await.ok(200);
    assert_eq!(agent.on(1).get("/v1/channels/sandbox").await.ok(200), sandbox);
    for (field, value) in [
        ("mode", json!("broadcast")),
        ("access", json!("open")),
        ("discoverable", json!(true)),
        ("owner_id", json!(LABEL)),
        ("aliases", json!(["sandbox"])),
        ("ttl_seconds", json!(600)),
        ("max_messages", json!(200)),
        ("max_writes_per_minute", json!(60)),
        ("paused", json!(false)),
    ] {
        assert_eq!(sandbox[field], value, "{field}");
    }
    let listed = agent.get("/v1/channels").await.ok(200);
    assert!(listed["data"].as_array().is_some_and(|all| all.iter().any(|c| c["id"] == sandbox["id"])), "{listed}");

    // Two posters would post twice a second.
    let times = heartbeats(&agent).await;
    let gaps: Vec<i64> = times.windows(2).map(|pair| micros(&pair[1]) - micros(&pair[0])).collect();
    assert!(gaps.iter().all(|gap| *gap >= 1_000_000), "{gaps:?}");
    let first = messages(&agent).await.swap_remove(0);
    assert_eq!((&first["actor_label"], &first["posted_by_key_id"]), (&json!(LABEL), &sandbox["created_by_key_id"]));
    fleet.finish().await;
}

#[tokio::test]
async fn who_speaks_keeps_the_bot_silent_and_a_pause_does_too() {
    let fleet = fleet().env("BACKCHANNEL_SANDBOX_HEARTBEAT_SECONDS", "2").start().await;
    let agent = fleet.agent("speaker").await;
    let mut workers = two_workers(&fleet).await;
    at_least(&agent, 1, SOON).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        agent.post_message("sandbox", "I am here").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Somebody spoke all the time; where this process had to wait for its turn, the bot waited as long as it must after the last word.
    let all = messages(&agent).await;
    assert!(all.len() > 2, "{all:?}");
    let times: Vec<i64> = all.iter().map(|message| micros(message["created_at"].as_str().expect("a time"))).collect();
    // Between its look and its own word somebody may have spoken again.
    let silence_before = |n: usize| (n.saturating_sub(1)..=n).any(|n| n == 0 || times[n] - times[n - 1] >= 2_000_000);
    for n in (0..all.len()).filter(|n| all[*n]["metadata"]["heartbeat"] == true) {
        assert!(silence_before(n), "the bot spoke into a conversation: {all:?}");
    }

    let admin =
        |verb: &str| fleet.client().post(&format!("/v1/admin/channels/sandbox/{verb}"), json!({})).header("X-Admin-Token", "operator");
    admin("pause").await.ok(200);
    let paused = heartbeats(&agent).await.len();
    fleet.restart(0).await;
    workers[0].terminate().await;
    workers[0] = Worker::start(&fleet, &[]).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(heartbeats(&agent).await.len(), paused, "nothing while it is paused");
    assert_eq!(agent.get("/v1/channels/sandbox").await.ok(200)["paused"], true, "a start leaves it paused");
    admin("resume").await.ok(200);
    at_least(&agent, paused + 1, REPLACED_WITHIN).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_poster_that_is_killed_is_replaced_within_its_lease() {
    let fleet = fleet().start().await;
    let agent = fleet.agent("watcher").await;
    let mut workers = two_workers(&fleet).await;
    at_least(&agent, 1, SOON).await;
    let sandbox = agent.get("/v1/channels/sandbox").await.ok(200)["id"].as_str().expect("an id").to_owned();
    let poster = || fleet.redis().run::<Option<String>>(&["GET", &key(&fleet, &sandbox, "poster")]);
    let first = poster().expect("somebody posts");
    // Whoever is left posts on; which of the two it was is seen by the name on the lease.
    workers[0].kill9();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let count = heartbeats(&agent).await.len();
    at_least(&agent, count + 2, REPLACED_WITHIN).await;
    let second = poster().expect("somebody posts");
    workers[0] = Worker::start(&fleet, &[]).await;
    workers[1].kill9();
    let count = heartbeats(&agent).await.len();
    at_least(&agent, count + 2, REPLACED_WITHIN).await;
    let third = poster().expect("somebody posts");
    assert!(first != second || second != third, "one of the two that were killed had the lease");
    assert_ne!(first, third, "neither of the first two processes is left");
    fleet.finish().await;
}

#[tokio::test]
async fn a_poster_that_was_frozen_posts_no_second_heartbeat() {
    let fleet = fleet().start().await;
    let agent = fleet.agent("watcher").await;
    let mut workers = two_workers(&fleet).await;
    at_least(&agent, 1, SOON).await;
    for worker in &mut workers {
        worker.freeze();
        let count = heartbeats(&agent).await.len();
        at_least(&agent, count + 2, REPLACED_WITHIN).await;
        worker.thaw();
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let times = heartbeats(&agent).await;
    assert!(times.windows(2).all(|pair| micros(&pair[1]) - micros(&pair[0]) >= 1_000_000), "{times:?}");
    fleet.finish().await;
}

#[tokio::test]
async fn nobody_else_gets_its_label_or_alias_and_the_owner_outlives_restarts() {
    let fleet = fleet().start().await;
    let agent = fleet.agent("squatter").await;
    eventually("replicas make it", SOON, || async { agent.get("/v1/channels/sandbox").await.status == 200 }).await;
    let sandbox = agent.get("/v1/channels/sandbox").await.ok(200);
    fleet.client().post("/v1/keys", json!({ "agent_label": LABEL })).await.refused(409, "label_in_use");
    let operator = fleet.client().post("/v1/admin/keys", json!({ "agent_label": LABEL })).header("X-Admin-Token", "operator");
    operator.await.refused(409, "label_in_use");
    let own = agent.channel("broadcast").await;
    agent.post(&format!("/v1/channels/{own}/aliases"), json!({ "alias": "sandbox" })).await.refused(409, "alias_conflict");
    agent.patch("/v1/channels/sandbox", json!({ "paused": true })).await.refused(403, "forbidden");

    // The operator's hand is stronger than the setting, for a moment.
    let key = sandbox["created_by_key_id"].as_str().expect("an id");
    fleet.client().delete(&format!("/v1/admin/keys/{key}")).header("X-Admin-Token", "operator").await.ok(200);
    fleet.client().delete("/v1/admin/channels/sandbox").header("X-Admin-Token", "operator").await.has_status(204);
    fleet.client().post("/v1/keys", json!({ "agent_label": LABEL })).await.refused(409, "label_in_use");
    fleet.restart(0).await;
    fleet.restart(1).await;
    eventually("the sandbox is back", REPLACED_WITHIN, || async { agent.get("/v1/channels/sandbox").await.status == 200 }).await;
    let again = agent.get("/v1/channels/sandbox").await.ok(200);
    assert_eq!((&again["id"], &again["created_by_key_id"]), (&sandbox["id"], &sandbox["created_by_key_id"]));
    fleet.finish().await;
}

#[tokio::test]
async fn without_the_setting_there_is_none_and_who_had_the_names_before_keeps_them() {
    let off = Fleet::start(2).await;
    let agent = off.agent("visitor").await;
    agent.get("/v1/channels/sandbox").await.refused(404, "channel_not_found");
    assert!(!agent.get("/llms.txt").await.has_status(200).text.contains("/v1/channels/sandbox"));
    assert_eq!(agent.get("/ai-manifest.json").await.ok(200)["capabilities"]["sandbox"], Value::Null);
    off.finish().await;

    let fleet = fleet().replicas(1).env("BACKCHANNEL_SANDBOX", "false").start().await;
    let squatter = fleet.agent("squatter").await;
    let own = squatter.channel("broadcast").await;
    squatter.post(&format!("/v1/channels/{own}/aliases"), json!({ "alias": "sandbox" })).await.ok(201);
    let on = Fleet::builder().replicas(1).env("BACKCHANNEL_KEY_PREFIX", fleet.prefix()).env("BACKCHANNEL_SANDBOX", "true").start().await;
    eventually("the operator is told", Duration::from_secs(20), || async { on.log(0).contains("a channel had its alias") }).await;
    assert_eq!(squatter.get("/v1/channels/sandbox").await.ok(200)["id"], own);
    on.finish().await;
    fleet.finish().await;
}
