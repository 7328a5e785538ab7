//! The subscribing connection alone is lost: commands work, and wake-ups must come back by themselves.

use std::time::Duration;

use super::ledger::{Traffic, Waiters, patient_fleet, whole_again};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn waiters_whose_subscriber_connection_was_cut_are_woken_by_the_next_post() {
    let redis = RedisServer::start_private(&[]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let traffic = Traffic::start(&agent, &channel, 2, 2);
    for _ in 0..5 {
        let waiters = Waiters::start(&fleet, &agent, 25).await;
        let killed: i64 = redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert_eq!(killed, 2, "one subscriber a replica");
        waiters.are_woken().await;
        subscribed_again(&redis, 2).await;
    }
    let ledger = traffic.stop().await;
    assert!(ledger.codes.is_empty(), "nothing else is touched: {:?}", ledger.codes);
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

#[tokio::test]
async fn waiters_whose_subscriber_was_overrun_and_thrown_out_are_woken_by_the_next_post() {
    let redis = RedisServer::start_private(&["--client-output-buffer-limit", "pubsub", "64kb", "0", "0"]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let traffic = Traffic::start(&agent, &channel, 2, 2);

    let waiters = Waiters::start(&fleet, &agent, 25).await;
    let topics: Vec<String> = redis.run(&["PUBSUB", "SHARDCHANNELS", "*:wake"]);
    assert!(!topics.is_empty());
    // In one script, so that nothing can be sent in between.
    let flood = "for i = 1, 200 do redis.call('SPUBLISH', KEYS[1], string.rep('x', 10000)) end";
    for topic in &topics {
        let _: Option<i64> = redis.run(&["EVAL", flood, "1", topic]);
    }
    let gone = "scheduled to be closed ASAP for overcoming of output buffer limits";
    assert!(redis.log().contains(gone), "the subscribers were thrown out:\n{}", redis.log());
    waiters.are_woken().await;

    whole_again(&fleet, &agent, None).await;
    let ledger = traffic.stop().await;
    assert!(ledger.codes.is_empty(), "nothing else is touched: {:?}", ledger.codes);
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

async fn subscribed_again(redis: &RedisServer, replicas: usize) {
    eventually("each replica subscribes again", Duration::from_secs(30), || async move {
        let clients: String = redis.run(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        clients.lines().count() == replicas
    })
    .await;
}
