//! A primary of a cluster hands over in order and lives on as a replica: it still takes subscriptions, but what is posted is told elsewhere.

use std::future::IntoFuture;

use super::SOON;
use super::cluster::Cluster;
use crate::support::wait::eventually;

#[tokio::test]
async fn after_a_planned_failover_waiters_listen_at_the_new_primary() {
    let cluster = Cluster::start(15_000);
    let fleet = cluster.fleet().replicas(1).start().await;
    let agent = fleet.agent("reader").await;
    let channel = agent.channel("broadcast").await;
    let listens = |server: usize| {
        let topics: Vec<String> = cluster.servers[server].run(&["PUBSUB", "SHARDCHANNELS"]);
        topics.iter().any(|topic| topic.contains(&channel))
    };
    let slot = cluster.slot(&channel);
    let mut old = cluster.owner(slot).expect("each slot has an owner");
    let waiting = tokio::spawn(agent.list(&channel, "wait=25").into_future());
    eventually("it listens at the primary", SOON, || std::future::ready(listens(old))).await;
    // There and back.
    for _ in 0..2 {
        let new = (old + 3) % 6;
        let _: () = cluster.servers[new].run(&["CLUSTER", "FAILOVER"]);
        eventually("the replica is the primary", SOON, || std::future::ready(cluster.owner(slot) == Some(new))).await;
        eventually("it listens at the new one alone", SOON, || std::future::ready(listens(new) && !listens(old))).await;
        old = new;
    }
    eventually("posts are taken", SOON, || async { agent.post_to(&channel, serde_json::json!({ "content": "news" })).await.status == 201 })
        .await;
    assert_eq!(waiting.await.unwrap().ok(200)["data"][0]["content"], "news");
    fleet.finish().await;
}
