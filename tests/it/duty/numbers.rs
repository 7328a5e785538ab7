//! The numbers of the fleet: each process shows them, one worker finds them.

use std::time::Duration;

use serde_json::json;

use super::{SOON, fleet, parts, passes, two_workers};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// What each process of the fleet shows; the test fails where they do not agree.
async fn shown(fleet: &Fleet, workers: &[Worker; 2], names: &[&str]) -> Vec<f64> {
    let mut of_all = Vec::new();
    for replica in 0..fleet.size() {
        let mut values = Vec::new();
        for name in names {
            values.push(fleet.metric(replica, name).await.unwrap_or(-1.0));
        }
        of_all.push(values);
    }
    for worker in workers {
        let mut values = Vec::new();
        for name in names {
            values.push(worker.metric(name).await);
        }
        of_all.push(values);
    }
    if of_all.windows(2).any(|pair| pair[0] != pair[1]) {
        return vec![-1.0; names.len()]; // something was filed in between
    }
    of_all.swap_remove(0)
}

async fn shows(what: &str, fleet: &Fleet, workers: &[Worker; 2], expected: &[(&str, f64)]) {
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let values: Vec<f64> = expected.iter().map(|(_, value)| *value).collect();
    eventually(what, SOON, || async { shown(fleet, workers, &names).await == values }).await;
}

const OPEN: &str = "backchannel_open_messages";
const LEASES: &str = "backchannel_running_leases";
const CHANNELS: &str = "backchannel_channels";
const OLDEST: &str = "backchannel_oldest_open_message_age_seconds";

async fn oldest(fleet: &Fleet) -> f64 {
    fleet.metric(0, OLDEST).await.unwrap_or(-1.0)
}

/// A message that is claimed and done, one that is retracted, one that expires, one that runs under a lease, two that stay open.
async fn work(owner: &Agent, other: &Agent) -> [String; 2] {
    let done = owner.channel("claimable").await;
    let message = owner.post_message(&done, "done").await;
    other.claim(&message).await.ok(200);
    other.ack(&message).await.ok(200);
    let retracted = owner.post_message(&done, "retracted").await;
    owner.delete(&format!("/v1/messages/{retracted}")).await.ok(200);
    let short = owner.channel_with(json!({ "mode": "claimable", "ttl_seconds": 1 })).await;
    owner.post_message(&short, "expires").await;
    let open = owner.channel("claimable").await;
    let first = owner.post_message(&open, "the oldest").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let second = owner.post_message(&open, "the other one").await;
    let leased = owner.post_message(&open, "leased").await;
    other.claim_with_lease(&leased, 600).await.ok(200);
    let broadcast = owner.channel("broadcast").await;
    owner.post_message(&broadcast, "to all").await;
    [first, second]
}

#[tokio::test]
async fn every_process_shows_what_one_worker_found() {
    let redis = RedisServer::start_private(&[]);
    // A delivery to the receiver that hangs is tried for so long, and is not among those for later meanwhile.
    let fleet = fleet(&redis).env("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", "60").start().await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    assert_eq!(fleet.metric(0, OPEN).await, None, "what nobody has looked at is not zero");
    let [first, second] = work(&owner, &other).await;
    let receiver = Receiver::start().await;
    receiver.says(Says::Hangs);
    owner.channel_with(json!({ "mode": "broadcast", "name": "pushed", "webhook_url": receiver.url() })).await;
    owner.post_message("pushed", "x").await;
    let workers = two_workers(&fleet).await;

    shows("open, leased and all channels", &fleet, &workers, &[(OPEN, 2.0), (LEASES, 1.0), (CHANNELS, 5.0)]).await;
    let age = oldest(&fleet).await;
    assert!((3.0..600.0).contains(&age), "{age}");
    eventually("it grows from second to second", SOON, || async { oldest(&fleet).await > age }).await;
    other.claim(&first).await.ok(200);
    shows("the oldest is claimed", &fleet, &workers, &[(OPEN, 1.0)]).await;
    let of_next = oldest(&fleet).await;
    assert!(of_next > 0.0 && of_next <= oldest_is_at_most(&owner, &second).await, "{of_next}");
    other.claim(&second).await.ok(200);
    shows("nothing is open", &fleet, &workers, &[(OPEN, 0.0), (OLDEST, 0.0)]).await;
    let survey_age = fleet.metric(1, "backchannel_survey_age_seconds").await.expect("there was one");
    assert!(survey_age < 40.0 && fleet.metric(1, "backchannel_survey_duration_seconds").await.is_some(), "{survey_age}");

    // The receiver hangs: its delivery is still to be done.
    shows("the queues", &fleet, &workers, &[("backchannel_webhook_queue_depth", 1.0), ("backchannel_webhook_queue_later", 0.0)]).await;
    eventually("the oldest delivery grows old", SOON, || async {
        fleet.metric(0, "backchannel_webhook_oldest_age_seconds").await.is_some_and(|age| (2.0..600.0).contains(&age))
    })
    .await;

    let (holder, idle) = parts(&workers).await;
    assert!(passes(&workers[holder]).await >= 3.0);
    assert_eq!(passes(&workers[idle]).await, 0.0, "one worker surveys");
    let read =
        |worker: &str| worker.lines().any(|line| line.contains("duration_seconds_count{script=\"jobs/gauge\"}") && !line.ends_with(" 0"));
    assert!(read(&workers[holder].metrics().await));
    assert!(!read(&workers[idle].metrics().await), "one worker reads the queues");
    fleet.finish().await;
}

/// Seconds since the message was posted, rounded up.
async fn oldest_is_at_most(owner: &Agent, message: &str) -> f64 {
    let posted = owner.get(&format!("/v1/messages/{message}")).await.ok(200)["created_at"].as_str().expect("a time").to_owned();
    let posted: jiff::Timestamp = posted.parse().expect("a time");
    (jiff::Timestamp::now().as_millisecond() - posted.as_millisecond()) as f64 / 1000.0 + 1.0
}
