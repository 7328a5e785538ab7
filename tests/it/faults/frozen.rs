//! Redis stops without a word, and goes on later.

use std::time::Duration;

use futures::future::join_all;

use super::ledger::{Ledger, Outcome, THROUGH_IT_ALL, Traffic, Waiters, burst, fleet, whole_again};
use crate::support::redis::RedisServer;

#[tokio::test]
async fn a_frozen_redis_is_refused_in_time_and_forgotten_when_it_thaws() {
    let redis = RedisServer::start_private(&[]);
    let fleet = fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let tasks = agent.channel("claimable").await;
    let message = agent.post_message(&tasks, "for one").await;

    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    // Until well after the freeze has begun.
    let ended = Waiters::start_beside(&fleet, &agent, 8, 2).await;
    let traffic = Traffic::start(&agent, &channel, 4, 4);
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.freeze();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let claims = join_all((0..6).map(|_| Outcome::of(agent.claim(&message)))).await;
    assert!(claims.iter().all(Outcome::is_503), "{claims:?}");
    let reads = join_all((0..6).map(|_| Outcome::of(agent.list(&channel, "")))).await;
    assert!(reads.iter().all(Outcome::is_503), "{reads:?}");
    let mut ledger: Ledger = burst(&fleet, &agent, &channel).await;
    for replica in 0..fleet.size() {
        fleet.client_on(replica).get("/health").await.has_status(503);
        fleet.client_on(replica).get("/readyz").await.refused(503, "storage_unavailable");
        fleet.client_on(replica).get("/livez").await.ok(200);
    }
    // Who waited until after the freeze began is answered when the time is up, not when Redis is back.
    for outcome in ended.answers().await {
        assert!(outcome.is_done() || outcome.is_503(), "{outcome:?}");
    }

    redis.thaw();
    whole_again(&fleet, &agent, Some(waiters)).await;
    ledger.add(traffic.stop().await);
    assert!(!ledger.posted.is_empty() && !ledger.unknown.is_empty());
    ledger.check(&agent, &channel).await;
    // Whatever became of the claims: it is one and the same actor's.
    agent.claim(&message).await.ok(200);
    fleet.finish().await;
}
