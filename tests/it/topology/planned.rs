//! A planned failover behind sentinels: the old primary lives on and takes writes, until sentinels make a replica of it some ten seconds later.

use std::sync::Arc;

use serde_json::json;

use super::sentinels::Sentinels;
use super::{FAILOVER_MS, SOON};
use crate::faults::ledger::{THROUGH_IT_ALL, Waiters};
use crate::support::process::unique;
use crate::support::receiver::Receiver;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

fn is_primary(server: &Arc<RedisServer>) -> bool {
    server.run::<String>(&["INFO", "replication"]).contains("role:master")
}

/// Before that, so what it takes in vain is of a second or two. Nobody's connection has broken: it was the sentinels who were asked.
#[tokio::test]
async fn everybody_goes_over_to_the_new_primary_before_the_old_one_is_told() {
    let redis = Sentinels::start(FAILOVER_MS);
    let fleet = redis.fleet().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", &THROUGH_IT_ALL.to_string()).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let pushed = agent.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url() })).await;
    agent.post_message(&pushed, "before").await;
    receiver.gets_all(&["before".to_owned()], SOON).await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let old = redis.primary().expect("there is a primary");
    // Sentinels cannot tell it, however long this machine takes.
    let _: () = redis.servers[old].run(&["ACL", "SETUSER", "default", "-replicaof", "-slaveof"]);
    let mut replaced = redis.replaces(old);
    eventually("another one is the primary", SOON, || std::future::ready(replaced())).await;
    let new = redis.primary().expect("there is a primary");

    let log = format!("{}{{{channel}}}:log", fleet.prefix());
    let is_at_the_new_one = |content: &str| {
        let entries: Vec<(String, Vec<(String, String)>)> = redis.servers[new].run(&["XRANGE", &log, "-", "+"]);
        entries.iter().flat_map(|(_, fields)| fields).any(|(_, value)| value.contains(content))
    };
    for replica in 0..fleet.size() {
        eventually("its posts are at the new primary", SOON, || async {
            let content = unique();
            agent.on(replica).post_to(&channel, json!({ "content": content })).await.status == 201 && is_at_the_new_one(&content)
        })
        .await;
    }
    waiters.are_woken().await;
    agent.post_message(&pushed, "after").await;
    receiver.gets_all(&["after".to_owned()], SOON).await;
    assert!(is_primary(&redis.servers[old]), "the old one was told before anybody went over: nothing is shown");
    drop(worker);
    fleet.finish().await;
}
