//! Who does it when the one that does it is gone.

use std::time::Duration;

use super::{SOON, fleet, parts, passes, two_workers};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// The lease is 8 s, and it is looked for every 2 s; the rest is for a busy machine.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_worker_that_froze_is_followed_and_does_nothing_when_it_wakes_and_one_that_leaves_is_followed_at_once() {
    let redis = RedisServer::start_private(&[]);
    let fleet = fleet(&redis).replicas(1).start().await;
    let mut workers = two_workers(&fleet).await;
    let (first, second) = parts(&workers).await;
    eventually("it surveys", SOON, || async { passes(&workers[first]).await >= 1.0 }).await;
    let holder = || redis.run::<Option<String>>(&["GET", &format!("{}{{duty}}:holder", fleet.prefix())]);
    let before = holder();

    workers[first].freeze();
    eventually("another takes over", FOLLOWED_WITHIN, || async { holder() != before && holder().is_some() }).await;
    eventually("and surveys", SOON, || async { passes(&workers[second]).await >= 1.0 }).await;
    let after = holder();
    workers[first].thaw();
    let of_first = passes(&workers[first]).await;
    let of_second = passes(&workers[second]).await;
    eventually("a pass more", SOON, || async { passes(&workers[second]).await > of_second }).await;
    assert_eq!((passes(&workers[first]).await, holder()), (of_first, after.clone()), "the one that woke does nothing");
    eventually("it shows that it has lost it", SOON, || async { workers[first].metric("backchannel_duty_held").await == 0.0 }).await;

    assert!(workers[second].terminate().await.success());
    assert_ne!(holder(), after, "a worker that leaves gives it back, and does not let it run out");
    eventually("it is handed over", SOON, || async { workers[first].metric("backchannel_duty_held").await == 1.0 }).await;
    workers[first].kill9();
    let last = Worker::start(&fleet, &[]).await;
    eventually("the next one", FOLLOWED_WITHIN, || async { last.metric("backchannel_duty_held").await == 1.0 }).await;
    fleet.finish().await;
}
