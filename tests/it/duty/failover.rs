//! The primary dies in the middle of a walk: what had been added up counts for nothing, and the walk begins again at the new one.

use std::time::Duration;

use super::SOON;
use crate::support::client::Agent;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;
use crate::topology::FAILOVER_MS;
use crate::topology::sentinels::Sentinels;

const CHANNELS: usize = 30;
/// Keys that are none of channels, so that a pass takes some seconds.
const OTHERS: usize = 2000;
/// Until there is another primary, and a pass over it has ended.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

async fn make_channels(owner: &Agent, count: usize) {
    for _ in 0..count {
        owner.channel("claimable").await;
    }
}

/// The connection of a walk that has just begun.
async fn next_walk(primary: &RedisServer) -> String {
    let walk = || {
        let clients: String = primary.run(&["CLIENT", "LIST"]);
        let line = clients.lines().find(|line| line.contains("cmd=scan"))?;
        line.split_whitespace().find_map(|field| field.strip_prefix("id=")).map(str::to_owned)
    };
    eventually("no walk is under way", SOON, || std::future::ready(walk().is_none())).await;
    let mut begun = None;
    eventually("a walk is under way", SOON, || {
        begun = walk();
        std::future::ready(begun.is_some())
    })
    .await;
    begun.expect("it was seen")
}

#[tokio::test]
async fn a_walk_whose_primary_died_counts_for_nothing_and_begins_again() {
    let redis = Sentinels::start(FAILOVER_MS);
    let first = redis.primary().expect("there is a primary");
    let primary = &redis.servers[first];
    let fleet = redis.fleet().replicas(1).env("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "500").start().await;
    let others: Vec<String> = (0..OTHERS).flat_map(|n| [format!("another-program:{n}"), "x".to_owned()]).collect();
    let words: Vec<&str> = ["MSET"].into_iter().chain(others.iter().map(String::as_str)).collect();
    primary.run::<()>(&words);
    let owner = fleet.agent("owner").await;
    make_channels(&owner, CHANNELS).await;
    let worker = Worker::start(&fleet, &[]).await;
    let counted = || async { worker.metric("backchannel_channels").await };
    eventually("all channels are counted", SOON, || async { counted().await == CHANNELS as f64 }).await;

    // The connection of the walk alone breaks: what it had found could be filed.
    let passes = super::passes(&worker).await;
    primary.run::<i64>(&["CLIENT", "KILL", "ID", &next_walk(primary).await]);
    eventually("a walk has ended", SOON, || async {
        assert_eq!(counted().await, CHANNELS as f64);
        super::passes(&worker).await > passes
    })
    .await;

    next_walk(primary).await;
    let passes = super::passes(&worker).await;
    primary.kill9();
    // Meanwhile there is the last whole number, or none: never one of a part of them.
    eventually("a walk has ended", WHOLE_WITHIN, || async {
        let now = counted().await;
        assert!(now == CHANNELS as f64 || now == 0.0, "{now} of {CHANNELS}");
        // The pass that counts is one over the new primary.
        redis.primary().is_some_and(|now| now != first) && super::passes(&worker).await > passes && now == CHANNELS as f64
    })
    .await;
    assert_eq!(counted().await, CHANNELS as f64);
    eventually("a channel more is made", SOON, || async {
        owner.post("/v1/channels", serde_json::json!({ "name": "after", "mode": "claimable" })).await.status < 300
    })
    .await;
    eventually("it is counted", WHOLE_WITHIN, || async { counted().await == (CHANNELS + 1) as f64 }).await;
    fleet.abandon();
}
