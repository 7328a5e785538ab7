//! Connections that stand and say nothing any more.

use std::time::Duration;

use super::ledger::{Outcome, Traffic, Waiters, burst, fleet, whole_again};
use crate::support::cut::Cut;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn connections_that_became_black_holes_are_replaced_and_nobody_hangs_on_them() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let fleet = fleet(&redis, 1).env("BACKCHANNEL_REDIS_URL", &cut.url()).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;

    let waiters = Waiters::start(&fleet, &agent, 20).await;
    let traffic = Traffic::start(&agent, &channel, 4, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = cut.accepted();
    cut.black_hole();
    tokio::time::sleep(Duration::from_millis(100)).await; // what was answered before it began has arrived
    let refused = burst(&fleet, &agent, &channel).await;
    assert!(refused.codes.iter().any(|code| code == "storage_unavailable"), "the dead connections were given up");

    // The old ones stay dead for ever: only new ones help.
    cut.pass();
    whole_again(&fleet, &agent, Some(waiters)).await;
    assert!(cut.accepted() >= before + 3, "both command connections and the subscriber's are new");
    let mut ledger = traffic.stop().await;
    assert!(!ledger.posted.is_empty() && !ledger.codes.is_empty());
    ledger.add(refused);
    ledger.check(&agent, &channel).await;

    // Without other traffic one caller alone gets through as well.
    cut.black_hole();
    cut.pass();
    let agent = &agent;
    eventually("one caller alone is served", Duration::from_secs(20), || async move {
        Outcome::of(agent.get("/v1/keys/me")).await.is_done() && Outcome::of(agent.get("/v1/keys/me")).await.is_done()
    })
    .await;
    whole_again(&fleet, agent, None).await;
    fleet.finish().await;
}
