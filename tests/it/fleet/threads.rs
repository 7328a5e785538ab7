//! How many threads a replica runs on.

use crate::support::fleet::Fleet;
use crate::topology::core::core;

#[tokio::test]
async fn a_replica_has_one_thread_or_as_many_as_the_operator_says_and_does_the_same_on_them() {
    let (usual, wide) = (Fleet::start(1).await, Fleet::builder().env("BACKCHANNEL_THREADS", "5").start().await);
    let threads = async |fleet: &Fleet| fleet.metric(0, "process_threads").await.unwrap();
    let (one, five) = (threads(&usual).await, threads(&wide).await);
    // The runtime of one thread is the main one; that of five are five besides it.
    assert!(five >= one + 5.0, "{one} and {five}");
    core(&wide).await;
    usual.finish().await;
    wide.finish().await;
}
