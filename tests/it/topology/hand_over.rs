//! A primary of a cluster hands over in order and lives on as a replica: it still takes subscriptions, but what is posted is told elsewhere.

use super::cluster::Cluster;
use super::{FAILOVER_MS, SOON};
use crate::support::wait::eventually;

#[tokio::test]
async fn after_a_planned_failover_waiters_listen_at_the_new_primary() {
    let cluster = Cluster::start(FAILOVER_MS);
    let fleet = cluster.fleet().replicas(1).start().await;
    let agent = fleet.agent("reader").await;
    let channel = agent.channel("broadcast").await;
    let listens = |server: usize| {
        let topics: Vec<String> = cluster.servers[server].run(&["PUBSUB", "SHARDCHANNELS"]);
        topics.iter().any(|topic| topic.contains(&channel))
    };
    let slot = cluster.slot(&channel);
    let old = cluster.owner(slot).expect("each slot has an owner");
    let new = (old + 3) % cluster.servers.len();
    let (reader, list) = (agent.clone(), channel.clone());
    let waiting = tokio::spawn(async move {
        loop {
            let page = reader.list(&list, "wait=25").await; // meanwhile it may be answered 503
            if page.status == 200 && page.body["data"] != serde_json::json!([]) {
                return page.body;
            }
        }
    });
    eventually("it listens at the primary", SOON, || std::future::ready(listens(old))).await;
    let mut taking_over = cluster.takes_over(slot, new);
    eventually("the replica is the primary", SOON, || std::future::ready(taking_over())).await;
    eventually("it listens at the new one alone", SOON, || std::future::ready(listens(new) && !listens(old))).await;
    eventually("posts are taken", SOON, || async { agent.post_to(&channel, serde_json::json!({ "content": "news" })).await.status == 201 })
        .await;
    assert_eq!(waiting.await.unwrap()["data"][0]["content"], "news");
    fleet.finish().await;
}
