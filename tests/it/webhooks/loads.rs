//! Messages that one worker reads together: each delivery is about its own, whatever lies between them in the channel.

use serde_json::json;

use super::{SOON, post_many};
use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::wait::eventually;
use crate::support::worker::Worker;
use backchannel::ids::ChannelId;
use backchannel::store::keyspace::{JOB_QUEUES, Keyspace};

/// Messages before and behind those that nobody is told of.
const EACH: usize = 4;

#[tokio::test]
async fn messages_far_apart_are_told_with_what_became_of_them_and_what_was_retracted_or_is_too_old_is_not() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = owner.channel_with(json!({ "mode": "claimable", "webhook_url": receiver.url() })).await;
    let hook = async |url: Option<&str>| {
        owner.patch(&format!("/v1/channels/{channel}"), json!({ "webhook_url": url })).await.ok(200);
    };
    let (keys, redis) = (Keyspace::new(fleet.prefix()), fleet.redis());
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
    let streams: Vec<String> = (0..JOB_QUEUES).map(|queue| keys.job_stream(queue)).collect();
    // Those that were handed over together are one entry.
    let waiting = |stream: &String| {
        let entries: Vec<(String, Vec<String>)> = redis.run(&["XRANGE", stream, "-", "+"]);
        entries.iter().map(|(_, fields)| fields[1].split('\u{1e}').count()).sum::<usize>()
    };
    eventually("all are in the queue", SOON, || async { streams.iter().map(waiting).sum::<usize>() == 2 * EACH }).await;
    let queue = streams.iter().find(|stream| waiting(stream) > 0).expect("its queue");
    let job = ["dlv_long_ago", "message.created", &channel, &channel, "1000", "1", "1000", ""].join("\u{1f}");
    redis.run::<()>(&["XADD", queue, "*", "j", &job]);
    // Of 1970, far past its retention, and not trimmed yet. Numbers of a stream only grow, so the others are added again behind it.
    let log = keys.channel(&ChannelId::parse(&channel).expect("an id")).key("log").expect("a name");
    let kept: Vec<(String, Vec<String>)> = redis.run(&["XRANGE", &log, "-", "+"]);
    redis.run::<()>(&["DEL", &log]);
    let of_1970 = ["h", "bck_a\u{1f}\u{1f}\u{1f}", "c", "long ago"].map(str::to_owned).to_vec();
    for (id, fields) in std::iter::once(("1000-0".to_owned(), of_1970)).chain(kept) {
        let words: Vec<&str> = ["XADD", &log, &id].into_iter().chain(fields.iter().map(String::as_str)).collect();
        redis.run::<()>(&words);
    }
    redis.run::<()>(&["EXPIRE", &log, "3600"]);

    let worker = Worker::start(&fleet, &[]).await;
    let got = receiver.gets(2 * EACH - retracted.len(), SOON).await;
    eventually("the other three are dropped", SOON, || async { worker.metric("backchannel_webhook_dropped_total").await == 3.0 }).await;
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
