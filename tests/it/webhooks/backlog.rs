//! What waits because nobody fetches it: nothing of it is dropped, and what would be too much is refused.

use serde_json::json;

use super::{HOOK, SOON, hooked, post_many};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// What an outbox takes.
const ROOM: u64 = 100_000;

fn outbox(fleet: &Fleet, channel: &str) -> String {
    format!("{}{{{channel}}}:outbox", fleet.prefix())
}

/// Fills an outbox up.
fn fill(fleet: &Fleet, channel: &str) {
    let filling = "for _ = redis.call('XLEN', KEYS[1]) + 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'e', 'x') end";
    fleet.redis().run::<()>(&["EVAL", filling, "1", &outbox(fleet, channel), &ROOM.to_string()]);
}

fn waiting(fleet: &Fleet, channel: &str) -> u64 {
    fleet.redis().run(&["XLEN", &outbox(fleet, channel)])
}

async fn asks_to_be_let_in(agent: &Agent, channel: &str) -> String {
    let asked = agent.post(&format!("/v1/channels/{channel}/access-requests"), json!({})).await.ok(202);
    asked["request_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_channel_of_which_too_much_waits_says_so_until_it_is_fetched_or_unwanted() {
    let fleet = Fleet::start(2).await;
    let (owner, member, other) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("other").await);
    let channel = owner.channel_with(json!({ "mode": "broadcast", "access": "restricted", "webhook_url": HOOK })).await;
    let request = asks_to_be_let_in(&other, &channel).await;
    fill(&fleet, &channel);
    let members = format!("/v1/channels/{channel}/members");
    let approve = format!("/v1/channels/{channel}/access-requests/{request}/approve");
    for replica in 0..2 {
        let owner = owner.on(replica);
        let reply = owner.post_to(&channel, json!({ "content": "x" })).await;
        assert_eq!(reply.header("retry-after"), Some("30"));
        let refused = reply.refused(503, "webhook_backlog_full");
        assert!(refused["suggestion"].as_str().is_some_and(|s| s.contains("webhook_url")), "{refused}");
        owner.post("/v1/tasks/broadcast", json!({ "channel": channel, "content": "x" })).await.refused(503, "webhook_backlog_full");
        owner.post(&members, json!({ "key_id": member.key_id })).await.refused(503, "webhook_backlog_full");
        owner.post(&approve, json!({})).await.refused(503, "webhook_backlog_full");
    }
    assert_eq!(waiting(&fleet, &channel), ROOM, "nothing came, nothing went");
    assert_eq!(owner.list(&channel, "").await.ok(200)["data"], json!([]));

    // Its owner can do without: then only mentions that are pushed are refused.
    owner.patch(&format!("/v1/channels/{channel}"), json!({ "webhook_url": null })).await.ok(200);
    owner.post_message(&channel, "goes on").await;
    owner.post(&members, json!({ "key_id": member.key_id })).await.ok(201);
    let me = owner.get(&format!("/v1/actors/{}", owner.label)).await.ok(200)["id"].clone();
    owner.post(&format!("/v1/actors/{}/webhook", owner.label), json!({ "url": HOOK })).await.ok(200);
    let mention = json!({ "content": "x", "mentions": [me] });
    eventually("the replica knows the actor's webhook", SOON, || async {
        member.on(0).post_to(&channel, mention.clone()).await.status == 503
    })
    .await;
    member.on(0).post_to(&channel, mention).await.refused(503, "webhook_backlog_full");
    member.on(0).post_message(&channel, "without a mention").await;
    fleet.finish().await;
}

#[tokio::test]
async fn everything_that_was_posted_while_all_workers_were_away_is_delivered() {
    let fleet = Fleet::builder().env("BACKCHANNEL_WEBHOOK_QUEUE_MAX", "40").start().await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let contents = post_many(&owner, &channel, 200).await;
    let paused = |replica: usize| {
        let fleet = &fleet;
        async move { fleet.metric(replica, "backchannel_webhook_hand_over_paused_total").await.is_some_and(|times| times > 0.0) }
    };
    eventually("the queue is full", SOON, || async { paused(0).await || paused(1).await }).await;
    let waits = waiting(&fleet, &channel);
    // A queue that has room for one takes a whole page, 128: 39 and these are the most.
    assert!(waits >= 200 - 39 - 128, "{waits}");
    // However long they stay away: what is there has no end but the channel's.
    for key in what_waits(&fleet) {
        assert_eq!(fleet.redis().run::<i64>(&["PTTL", &key]), -1, "{key}");
    }
    let _workers = (Worker::start(&fleet, &[]).await, Worker::start(&fleet, &[]).await);
    receiver.gets_all(&contents, SOON * 2).await;
    assert_eq!(receiver.got().len(), contents.len(), "each once");
    eventually("the outbox is empty", SOON, || async { waiting(&fleet, &channel) == 0 }).await;
    assert!(fleet.redis().run::<i64>(&["PTTL", &outbox(&fleet, &channel)]) > 0, "an empty outbox ends");
    fleet.finish().await;
}

/// Outboxes and queues of the fleet that exist.
fn what_waits(fleet: &Fleet) -> Vec<String> {
    let all: Vec<String> = fleet.redis().run(&["KEYS", &format!("{}*", fleet.prefix())]);
    let found: Vec<String> = all.into_iter().filter(|key| key.ends_with(":outbox") || key.ends_with(":jobs")).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    found
}
