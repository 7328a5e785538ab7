//! What workers push: a fleet, workers beside it, receivers on loopback.

mod backlog;
mod cluster;
mod crashes;
mod examples;
mod isolation;
mod killed_replicas;
mod loads;
mod owners;
mod pushes;
mod stop;
mod sweeps;
mod targets;
mod verify_example;

use std::time::Duration;

use serde_json::json;

use crate::support::client::Agent;
use crate::support::receiver::Receiver;

/// A delivery on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(20);
/// Where nobody listens, for tests without a worker.
const HOOK: &str = "https://hooks.example.com/x";
/// Retries that a test can wait for.
const QUICK_RETRIES: (&str, &str) = ("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.2,0.4,0.8,1.6");

/// A channel that pushes to this receiver, signed with `secret`.
async fn hooked(owner: &Agent, receiver: &Receiver) -> String {
    owner.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url(), "webhook_secret": "secret" })).await
}

/// Posts so many, and returns their contents.
async fn post_many(owner: &Agent, channel: &str, count: usize) -> Vec<String> {
    let contents: Vec<String> = (0..count).map(|n| format!("content {n:03}")).collect();
    for content in &contents {
        owner.post_message(channel, content).await;
    }
    contents
}
