//! A worker that is asked to stop: what it tries is finished, and the rest is there for others at once, not only when it is taken for dead.

use std::time::Duration;

use backchannel::store::keyspace::JOB_QUEUES;
use deadpool_redis::redis::Value;

use super::{SOON, hooked, post_many};
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::worker::Worker;

/// Jobs that were given to some worker and are not settled.
fn given(fleet: &Fleet) -> usize {
    let of_queue = |queue: u8| {
        let stream = format!("{}{{jobs:{queue}}}:jobs", fleet.prefix());
        match fleet.redis().try_run::<Vec<Value>>(&["XPENDING", &stream, "workers", "-", "+", "1000"]) {
            Some(jobs) => jobs.len(),
            None => 0, // nobody has read this queue
        }
    };
    (0..JOB_QUEUES).map(of_queue).sum()
}

#[tokio::test]
async fn a_worker_that_stops_holds_nothing_back() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    receiver.says(Says::After(Duration::from_millis(1500)));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let contents = post_many(&owner, &channel, 60).await;
    // It reads more than it has room for, and tries two at a time.
    let mut first = Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_CONCURRENCY", "2")]).await;
    receiver.holds_one().await;
    assert!(given(&fleet) > 0);
    let status = first.terminate().await;
    assert!(status.success(), "{status}\n{}", first.log());
    assert_eq!(given(&fleet), 0, "{}", first.log());

    receiver.says(Says::Status(200));
    let _second = Worker::start(&fleet, &[]).await;
    receiver.gets_all(&contents, SOON).await;
    assert_eq!(receiver.got().len(), contents.len(), "nothing died, so nothing came twice");
    fleet.finish().await;
}
