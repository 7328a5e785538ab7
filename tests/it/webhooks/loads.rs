//! Messages that one worker reads together: each delivery is about its own, whatever lies between them in the channel.

use serde_json::json;

use super::{SOON, post_many};
use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::wait::eventually;
use crate::support::worker::Worker;
use backchannel::store::keyspace::{JOB_QUEUES, Keyspace};

/// Messages before and behind those that nobody is told of.
const EACH: usize = 4;

#[tokio::test]
async fn messages_far_apart_are_told_with_what_became_of_them_and_retracted_ones_are_not() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = owner.channel_with(json!({ "mode": "claimable", "webhook_url": receiver.url() })).await;
    let hook = async |url: Option<&str>| {
        owner.patch(&format!("/v1/channels/{channel}"), json!({ "webhook_url": url })).await.ok(200);
    };
    let mut ids = Vec::new();
    for n in 0..EACH {
        ids.push(owner.post_message(&channel, &format!("before {n}")).await);
    }
    hook(None).await;
    post_many(&owner, &channel, 3 * EACH).await;
    hook(Some(&receiver.url())).await;
    for n in 0..EACH {
        ids.push(owner.post_message(&channel, &format!("behind {n}")).await);
    }
    let (claimed, retracted) = ([&ids[1], &ids[EACH + 1]], [&ids[2], &ids[EACH + 2]]);
    for id in claimed {
        owner.claim(id).await.ok(200);
    }
    for id in retracted {
        owner.delete(&format!("/v1/messages/{id}")).await.has_status(200);
    }
    let keys = Keyspace::new(fleet.prefix());
    eventually("all are in the queue", SOON, || async {
        let waiting: usize = (0..JOB_QUEUES).map(|queue| fleet.redis().run::<usize>(&["XLEN", &keys.job_stream(queue)])).sum();
        waiting == 2 * EACH
    })
    .await;

    let worker = Worker::start(&fleet, &[]).await;
    let got = receiver.gets(2 * EACH - retracted.len(), SOON).await;
    eventually("the retracted ones are dropped", SOON, || async { worker.metric("backchannel_webhook_dropped_total").await == 2.0 }).await;
    let mut told: Vec<_> = got
        .iter()
        .map(|got| {
            let message = &got.json()["message"];
            (message["id"].as_str().expect("an id").to_owned(), message["state"].as_str().expect("a state").to_owned())
        })
        .collect();
    told.sort();
    let mut expected: Vec<_> = ids
        .iter()
        .filter(|id| !retracted.contains(id))
        .map(|id| (id.clone(), if claimed.contains(&id) { "claimed" } else { "open" }.to_owned()))
        .collect();
    expected.sort();
    assert_eq!(told, expected);
    fleet.finish().await;
}
