//! Wake-ups that get lost on the way.

use std::time::Duration;

use serde_json::json;

use super::{SOON, answer, contents, held, waiters};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_cut_of_the_subscribing_connections_leaves_nobody_asleep() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    let (poster, agent) = (fleet.agent("poster").await, fleet.agent("agent").await);
    for round in 0..3 {
        let (tasks, news) = (poster.channel("claimable").await, poster.channel("broadcast").await);
        let claimers: Vec<_> = (0..2).map(|n| held(agent.on(n).claim_next(&tasks, json!({ "wait": 25 })))).collect();
        let readers: Vec<_> = (0..2).map(|n| held(agent.on(n).list(&news, "wait=25"))).collect();
        waiters(&fleet, &[2, 2]).await;
        for channel in [&tasks, &news] {
            let topic = format!("{}{{{channel}}}:wake", fleet.prefix());
            eventually("both replicas have subscribed", SOON, || async {
                redis.run::<(String, i64)>(&["PUBSUB", "SHARDNUMSUB", &topic]).1 == 2
            })
            .await;
        }
        assert_eq!(cut_subscribers(&redis), 2, "each replica had a subscribing connection");
        if round == 2 {
            // After they have come back: the subscriptions must have come back with them.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        poster.post_message(&news, "news").await;
        for n in 0..2 {
            poster.on(n).post_message(&tasks, "a task").await;
        }
        for reader in readers {
            assert_eq!(contents(&answer(reader).await.ok(200)), ["news"]);
        }
        for claimer in claimers {
            assert_eq!(answer(claimer).await.ok(200)["claimed"]["content"], "a task");
        }
    }
    fleet.finish().await;
}

/// Closes every connection that holds a sharded subscription (they are not of TYPE pubsub before Redis 7.4); how many.
pub(super) fn cut_subscribers(redis: &RedisServer) -> usize {
    let clients: String = redis.run(&["CLIENT", "LIST"]);
    let field = |client: &str, name: &str| client.split(' ').find_map(|field| field.strip_prefix(name).map(str::to_owned)).unwrap();
    let subscribed: Vec<_> = clients.lines().filter(|client| field(client, "ssub=") != "0").collect();
    for client in &subscribed {
        let _: i64 = redis.run(&["CLIENT", "KILL", "ID", &field(client, "id=")]);
    }
    subscribed.len()
}

#[tokio::test]
async fn a_waiter_gives_its_subscription_as_long_as_any_command_is_given() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().replicas(1).redis(&redis).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "20000").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;
    // Redis refuses to subscribe for longer than the 1.5 s that an operator who says nothing gives it.
    redis.run::<()>(&["ACL", "SETUSER", "default", "-ssubscribe"]);
    let reader = held(agent.list(&channel, "wait=25"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    redis.run::<()>(&["ACL", "SETUSER", "default", "+ssubscribe"]);
    waiters(&fleet, &[1]).await;
    agent.post_message(&channel, "news").await;
    assert_eq!(contents(&answer(reader).await.ok(200)), ["news"]);
    fleet.finish().await;
}
