//! Connections that stand and say nothing any more.

use std::time::Duration;

use super::ledger::{Outcome, THROUGH_IT_ALL, Traffic, Waiters, burst, fleet, whole_again};
use crate::support::cut::Cut;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn connections_that_became_black_holes_are_replaced_and_nobody_hangs_on_them() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let fleet = fleet(&redis, 1).env("BACKCHANNEL_REDIS_URL", &cut.url()).env("BACKCHANNEL_REDIS_CONNECTIONS", "2").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;

    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let traffic = Traffic::start(&agent, &channel, 4, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = cut.accepted();
    cut.black_hole();
    tokio::time::sleep(Duration::from_millis(100)).await; // what was answered before it began has arrived
    let refused = burst(&fleet, &agent, &channel).await;
    assert!(refused.codes.iter().any(|code| code == "storage_unavailable"), "the dead connections were given up");

    // The old ones stay dead for ever: only new ones help, and die as soon as they are there.
    cut.pass();
    eventually("there is a new subscriber beside the dead one, and two new command connections", Duration::from_secs(30), || async {
        redis.run::<String>(&["CLIENT", "LIST", "TYPE", "pubsub"]).lines().count() >= 2 && cut.accepted() >= before + 3
    })
    .await;
    cut.black_hole();
    cut.pass();
    whole_again(&fleet, &agent, Some(waiters)).await;
    eventually("both command connections and the subscriber's were replaced twice", Duration::from_secs(30), || async {
        cut.accepted() >= before + 6
    })
    .await;
    let mut ledger = traffic.stop().await;
    assert!(!ledger.posted.is_empty() && !ledger.codes.is_empty());
    ledger.add(refused);
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

#[tokio::test]
async fn one_caller_alone_gets_through_soon_after_connections_became_black_holes() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let fleet = fleet(&redis, 1).env("BACKCHANNEL_REDIS_URL", &cut.url()).env("BACKCHANNEL_REDIS_CONNECTIONS", "2").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;

    cut.black_hole();
    cut.pass();
    let (mut refused, mut served) = (0, 0);
    while served < 4 {
        match Outcome::of(agent.list(&channel, "")).await {
            Outcome::Done(_) => served += 1,
            outcome => {
                assert!(outcome.is_503(), "{outcome:?}");
                refused += 1;
            }
        }
        // A few more where this machine takes long for an answer of the new ones.
        assert!(refused <= 12, "two connections are given up after three answers that did not come on each");
    }
    assert!(refused > 0);
    fleet.finish().await;
}
