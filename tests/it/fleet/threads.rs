//! How many threads a replica runs on.

use std::time::Duration;

use crate::support::fleet::Fleet;
use crate::support::wait::eventually;
use crate::topology::core::core;

#[tokio::test]
async fn a_replica_has_one_thread_or_as_many_as_the_operator_says_and_does_the_same_on_them() {
    let (usual, wide) = (Fleet::start(1).await, Fleet::builder().env("BACKCHANNEL_THREADS", "5").start().await);
    let threads = async |fleet: &Fleet| fleet.metric(0, "process_threads").await.unwrap();
    // The runtime of one thread is the main one; that of five are five besides it. What blocks runs on threads that end some seconds later.
    eventually("five more", Duration::from_secs(90), || async { threads(&wide).await >= threads(&usual).await + 5.0 }).await;
    core(&wide).await;
    usual.finish().await;
    wide.finish().await;
}
