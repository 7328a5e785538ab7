//! What owners see of their webhooks and can do about them.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{QUICK_RETRIES, SOON, hooked, post_many};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// Waits until the list at `path` has so many entries.
async fn list(agent: &Agent, path: &str, count: usize) -> Vec<Value> {
    let read = || async { agent.get(path).await.ok(200)["data"].as_array().expect("a list").clone() };
    eventually(&format!("{count} entries in {path}"), SOON, || async { read().await.len() == count }).await;
    read().await
}

#[tokio::test]
async fn an_owner_sees_tries_and_dead_letters_and_replays_them() {
    let fleet = Fleet::start(2).await;
    let (_worker, receiver) = (Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.1")]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let path = format!("/v1/channels/{channel}/webhook");
    receiver.says(Says::Status(500));
    let message = owner.post_message(&channel, "the content").await;
    let letters = list(&owner, &format!("{path}/dead-letters"), 1).await;
    assert_eq!((letters[0]["attempts"].as_u64(), letters[0]["status"].as_u64()), (Some(2), Some(500)), "{letters:?}");
    assert_eq!((letters[0]["error"].as_str(), letters[0]["message_id"].as_str()), (Some("status_5xx"), Some(message.as_str())));
    let tries = list(&owner, &format!("{path}/deliveries"), 2).await;
    let seen: Vec<_> = tries.iter().map(|t| (t["attempt"].as_u64().unwrap(), t["outcome"].as_str().unwrap())).collect();
    assert_eq!(seen, [(2, "dead"), (1, "failed")]);
    assert!(!json!([letters, tries]).to_string().contains("the content"), "content is not kept");

    receiver.says(Says::Status(200));
    let id = letters[0]["delivery_id"].as_str().expect("an id");
    let again = || owner.post(&format!("{path}/deliveries/{id}/replay"), json!({})).header("Idempotency-Key", "once");
    assert_eq!(again().await.ok(202), json!({ "delivery_id": id, "status": "queued" }));
    let tries = list(&owner, &format!("{path}/deliveries"), 3).await;
    assert_eq!(
        (tries[0]["outcome"].as_str(), tries[0]["attempt"].as_u64(), tries[0]["error"].as_str()),
        (Some("delivered"), Some(1), None)
    );
    list(&owner, &format!("{path}/dead-letters"), 0).await;
    assert_eq!(again().await.ok(202)["delivery_id"], id);
    let got = receiver.gets(3, SOON).await;
    assert!(got.iter().all(|g| g.id() == id));
    owner.post(&format!("{path}/test"), json!({})).await.ok(202);
    let got = receiver.gets(4, SOON).await;
    assert_eq!(got[3].json(), json!({ "event": "webhook.test", "channel_id": channel }), "a repeated replay was one replay");
    fleet.finish().await;
}

#[tokio::test]
async fn the_webhook_of_an_actor_is_tried_out_and_looked_at() {
    let fleet = Fleet::start(2).await;
    let (_worker, receiver) = (Worker::start(&fleet, &[QUICK_RETRIES]).await, Receiver::start().await);
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let actor = owner.get(&format!("/v1/actors/{}", owner.label)).await.ok(200)["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/actors/{actor}/webhook");
    owner.post(&format!("{path}/test"), json!({})).await.refused(404, "webhook_not_found");
    owner.post(&path, json!({ "url": receiver.url(), "secret": "s" })).await.ok(200);
    let queued = owner.post(&format!("{path}/test"), json!({})).await.ok(202);
    let got = receiver.gets(1, SOON).await;
    assert_eq!(got[0].json(), json!({ "event": "webhook.test", "actor_id": actor }));
    assert_eq!(got[0].id(), queued["delivery_id"]);
    let tries = list(&owner, &format!("{path}/deliveries"), 1).await;
    assert_eq!((tries[0]["event"].as_str(), tries[0]["channel_id"].as_str()), (Some("webhook.test"), None));
    let id = tries[0]["delivery_id"].as_str().expect("an id");
    owner.post(&format!("{path}/deliveries/{id}/replay"), json!({})).await.ok(202);
    receiver.gets(2, SOON).await;
    list(&owner, &format!("{path}/dead-letters"), 0).await;

    for path in [format!("{path}/deliveries"), format!("{path}/dead-letters")] {
        other.get(&path).await.refused(403, "actor_forbidden");
    }
    assert_eq!(owner.post(&format!("{path}/dead-letters/redrive"), json!({})).await.ok(202), json!({ "queued": 0, "left": 0 }));
    for path in [format!("{path}/test"), format!("{path}/deliveries/{id}/replay"), format!("{path}/dead-letters/redrive")] {
        other.post(&path, json!({})).await.refused(403, "actor_forbidden");
    }
    owner.post(&format!("{path}/deliveries/dlv_nothing/replay"), json!({})).await.refused(404, "delivery_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn strangers_learn_nothing_of_a_channels_webhook() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (channel, bare) = (hooked(&owner, &receiver).await, owner.channel("broadcast").await);
    let closed = owner.restricted("broadcast").await;
    for (channel, word) in [(&channel, "forbidden"), (&closed, "channel_access_denied")] {
        for list in ["deliveries", "dead-letters"] {
            other.get(&format!("/v1/channels/{channel}/webhook/{list}")).await.refused(403, word);
        }
        for call in ["test", "deliveries/dlv_x/replay", "dead-letters/redrive"] {
            other.post(&format!("/v1/channels/{channel}/webhook/{call}"), json!({})).await.refused(403, word);
        }
    }
    for call in ["test", "deliveries/dlv_x/replay", "dead-letters/redrive"] {
        let refused = owner.post(&format!("/v1/channels/{bare}/webhook/{call}"), json!({})).await.refused(404, "webhook_not_found");
        assert!(refused["suggestion"].as_str().is_some_and(|next| next.contains("webhook_url")), "{refused}");
    }
    owner.get(&format!("/v1/channels/{channel}/webhook/dead-letters?limit=0")).await.refused(422, "invalid_limit");
    let replay = format!("/v1/channels/{channel}/webhook/deliveries/dlv_x/replay");
    owner.post(&replay, json!({})).await.refused(404, "delivery_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn all_dead_letters_are_redriven_each_once_however_many_ask() {
    let fleet = Fleet::start(2).await;
    let (_worker, receiver) = (Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.05")]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let path = format!("/v1/channels/{channel}/webhook/dead-letters");
    let redrive = |replica: usize| owner.on(replica).post(&format!("{path}/redrive"), json!({}));
    receiver.says(Says::Status(500));
    let mut contents = post_many(&owner, &channel, 120).await;
    let all_are_dead =
        || async { fleet.redis().run::<usize>(&["ZCARD", &format!("{}{{hook:{channel}}}:dead-index", fleet.prefix())]) == 120 };
    eventually("all are given up", SOON * 2, all_are_dead).await;
    let (tries, before) = (receiver.got().len(), receiver.contents().len());
    assert_eq!((tries, before), (240, 120));

    receiver.says(Says::Status(200));
    let first = redrive(0).once("once").await.ok(202);
    assert_eq!(first, json!({ "queued": 100, "left": 20 }));
    assert_eq!(redrive(1).once("once").await.ok(202), first, "the same request is not the next one");
    let both = join_all((0..2).map(|replica| redrive(replica).into_future())).await;
    for reply in both {
        let queued = reply.ok(202);
        assert!([json!({ "queued": 20, "left": 0 }), json!({ "queued": 0, "left": 0 })].contains(&queued), "{queued}");
    }
    list(&owner, &path, 0).await;
    receiver.gets(tries + 120, SOON).await;
    contents.sort();
    let mut again: Vec<_> = receiver.got().split_off(tries).iter().map(|got| (got.content(), got.id().to_owned())).collect();
    again.sort();
    assert_eq!(again.iter().map(|(content, _)| content.clone()).collect::<Vec<_>>(), contents, "each once");
    let known: BTreeSet<_> = receiver.got()[..tries].iter().map(|got| (got.content(), got.id().to_owned())).collect();
    assert!(again.iter().all(|one| known.contains(one)), "with the ids they had");
    fleet.finish().await;
}

#[tokio::test]
async fn a_webhook_that_only_failed_for_too_long_is_taken_away() {
    let fleet = Fleet::start(1).await;
    // Two tries are soon, and far from too long; the others are enough of them for longer than that.
    let settings = [("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.2,2,2,2,2,2,2,2,2,2"), ("BACKCHANNEL_WEBHOOK_DISABLE_AFTER_SECONDS", "8")];
    let (_worker, receiver) = (Worker::start(&fleet, &settings).await, Receiver::start().await);
    receiver.says(Says::Status(503));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    owner.post_message(&channel, "one").await;
    receiver.gets(2, SOON).await;
    assert!(owner.get(&format!("/v1/channels/{channel}")).await.ok(200).get("webhook").is_some(), "not yet");
    eventually("it is taken away", SOON * 2, || async {
        owner.get(&format!("/v1/channels/{channel}")).await.ok(200).get("webhook").is_none()
    })
    .await;
    let events = owner.get(&format!("/v1/channels/{channel}/events")).await.ok(200);
    assert_eq!(events["data"][0]["event_type"], "webhook_disabled");
    fleet.finish().await;
}
