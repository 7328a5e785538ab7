//! What one worker does for the whole fleet: two workers and two replicas, each test on a Redis of its own, since the survey walks all of its keys.

mod failover;
mod hand_over;
mod idle;
mod numbers;

use std::sync::Arc;
use std::time::Duration;

use crate::support::fleet::{Builder, Fleet};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// A pass begins every 5 s; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(40);

fn fleet(redis: &Arc<RedisServer>) -> Builder {
    Fleet::builder().redis(redis).env("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "10000")
}

async fn two_workers(fleet: &Fleet) -> [Worker; 2] {
    [Worker::start(fleet, &[]).await, Worker::start(fleet, &[]).await]
}

/// Which of the workers does it, and the other one; once one of them says so.
async fn parts(workers: &[Worker; 2]) -> (usize, usize) {
    let held = |n: usize| async move { workers[n].metric("backchannel_duty_held").await == 1.0 };
    eventually("one has it", SOON, || async { held(0).await != held(1).await }).await;
    if held(0).await { (0, 1) } else { (1, 0) }
}

async fn passes(worker: &Worker) -> f64 {
    worker.metric("backchannel_survey_passes_total").await
}
