//! Workers on a Redis Cluster: each queue, outbox and webhook in a slot of its own, and a read that waits goes to the node that has its slot.

use std::time::Duration;

use backchannel::store::keyspace::JOB_QUEUES;

use super::{SOON, hooked, post_many};
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// Soon again, and so often that nothing is given up while posts take long.
const MANY_RETRIES: (&str, &str) = ("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.2,0.4,0.8,1.6,3,3,3,3,3,3,3,3,3,3,3,3");

#[tokio::test]
async fn workers_deliver_over_a_cluster_like_anywhere() {
    let fleet = Fleet::builder().redis(&RedisServer::cluster_mode()).start().await;
    let (receiver, owner) = (Receiver::start().await, fleet.agent("owner").await);
    let mut channels = Vec::new();
    for _ in 0..12 {
        channels.push(hooked(&owner, &receiver).await);
    }
    let (mut first, second) = (Worker::start(&fleet, &[MANY_RETRIES]).await, Worker::start(&fleet, &[MANY_RETRIES]).await);
    receiver.says(Says::Status(500));
    for channel in &channels {
        post_many(&owner, channel, 5).await;
    }
    receiver.gets(60, SOON).await;
    receiver.says(Says::Status(200));
    let delivered = || async {
        first.metric("backchannel_webhook_duration_seconds_count").await + second.metric("backchannel_webhook_duration_seconds_count").await
    };
    eventually("all are delivered, after a failure each", SOON, || async { delivered().await >= 120.0 }).await;
    let left = || async {
        (0..JOB_QUEUES)
            .flat_map(|n| ["jobs", "retries"].map(|of| format!("{}{{jobs:{n}}}:{of}", fleet.prefix())))
            .filter(|key| {
                let command = if key.ends_with(":jobs") { "XLEN" } else { "ZCARD" };
                fleet.redis().run::<u64>(&[command, key]) > 0
            })
            .count()
    };
    eventually("the queues are empty", SOON, || async { left().await == 0 }).await;
    assert!(first.terminate().await.success(), "{}", first.log());
    // A group that is gone is made again, a read that waits notices it.
    for queue in 0..JOB_QUEUES {
        let stream = format!("{}{{jobs:{queue}}}:jobs", fleet.prefix());
        fleet.redis().run::<u64>(&["XGROUP", "DESTROY", &stream, "workers"]);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    owner.post_message(&channels[0], "after").await;
    receiver.gets_all(&["after".to_owned()], SOON).await;
    fleet.finish().await;
}
