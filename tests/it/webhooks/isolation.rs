//! One of a hundred targets hangs: the others do not notice.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;

use super::{SOON, hooked};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

const TARGETS: usize = 100;
const POSTS: usize = 6;
/// What a machine that is busy with other tests adds to any latency. Where the hanging target took all slots, it would be TRY seconds.
const SLACK: Duration = Duration::from_secs(12);
const TRY: &str = "40";

/// Posts to all channels in turn, a few at a time; the time from before each post to its arrival, sorted.
async fn latencies(owner: &Agent, channels: &[String], receivers: &[Receiver], round: &str) -> Vec<Duration> {
    let all = (0..POSTS).flat_map(|n| (0..channels.len()).map(move |target| (n, target)));
    let posts = futures::stream::iter(all.map(|(n, target)| async move {
        let (content, began) = (format!("{round} {n}"), Instant::now());
        owner.post_message(&channels[target], &content).await;
        (target, content, began)
    }));
    let posted: Vec<(usize, String, Instant)> = posts.buffer_unordered(8).collect().await;
    let mut all = Vec::new();
    for (target, content, began) in posted {
        let arrived = || receivers[target].got().into_iter().find(|got| got.content() == content);
        eventually("each arrives", SOON, || async { arrived().is_some() }).await;
        all.push(arrived().expect("it is there").at - began);
    }
    all.sort();
    all
}

#[tokio::test]
async fn one_hanging_target_of_a_hundred_leaves_the_others_as_they_were() {
    let fleet = Fleet::start(1).await;
    // So few slots that a target which took more than its places would take them all.
    let worker = Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_CONCURRENCY", "16"), ("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", TRY)]).await;
    let owner = fleet.agent("owner").await;
    let receivers: Vec<Receiver> = join_all((0..TARGETS).map(|_| Receiver::start())).await;
    let mut channels = Vec::new();
    for receiver in &receivers {
        channels.push(hooked(&owner, receiver).await);
    }
    let (others, hanging) = (&channels[1..], &channels[0]);
    latencies(&owner, others, &receivers[1..], "warm").await;
    let before = latencies(&owner, others, &receivers[1..], "before").await;

    receivers[0].says(Says::Hangs);
    for n in 0..200 {
        owner.post_message(hanging, &format!("lost {n}")).await;
    }
    receivers[0].holds_one().await;
    let beside = latencies(&owner, others, &receivers[1..], "beside").await;
    let p99 = |sorted: &[Duration]| sorted[sorted.len() * 99 / 100];
    println!("p50 {:?} → {:?}, p99 {:?} → {:?}", before[before.len() / 2], beside[beside.len() / 2], p99(&before), p99(&beside));
    assert!(p99(&beside) <= p99(&before) * 2 + SLACK, "p99 {:?} → {:?}", p99(&before), p99(&beside));
    assert!(worker.metric("backchannel_webhook_put_off_total").await > 0.0);
    fleet.abandon();
}
