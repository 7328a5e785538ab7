//! What is pushed, to whom, and how it can be verified.

use std::time::Duration;

use serde_json::json;

use super::{SOON, hooked};
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// HMAC-SHA256 as receivers compute it: with a program of their own.
fn hmac_hex(secret: &str, text: &str) -> String {
    let code = "import hmac,hashlib,sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), hashlib.sha256).hexdigest())";
    let out = std::process::Command::new("python3").args(["-c", code, secret, text]).output().expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[tokio::test]
async fn a_message_is_pushed_signed_to_the_channels_webhook() {
    let fleet = Fleet::start(2).await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let id = owner.post_message(&channel, "héllo").await;

    let got = &receiver.gets(1, SOON).await[0];
    let body = got.json();
    assert_eq!((body["event"].as_str(), body.as_object().expect("an object").len()), (Some("message.created"), 2), "{body}");
    let shown = owner.get(&format!("/v1/channels/{channel}/messages")).await.ok(200);
    assert_eq!(body["message"], shown["data"][0]);
    assert_eq!(body["message"]["id"], id);

    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("user-agent"), "Backchannel-Webhook/1");
    assert_eq!(got.header("x-backchannel-event"), "message.created");
    assert_eq!(got.header("x-backchannel-attempt"), "1");
    assert_eq!(got.header("x-backchannel-signature"), format!("sha256={}", hmac_hex("secret", &got.text)));
    let trace: Vec<&str> = got.header("traceparent").split('-').collect();
    assert_eq!((trace.len(), trace[0], trace[1].len(), trace[2].len()), (4, "00", 32, 16));
    let signed = format!("{}.{}.{}", got.id(), got.header("webhook-timestamp"), got.text);
    let hex =
        got.header("webhook-signature").strip_prefix("v1,").map(|text| data_encoding::BASE64.decode(text.as_bytes()).expect("base64"));
    assert_eq!(data_encoding::HEXLOWER.encode(&hex.expect("version 1")), hmac_hex("secret", &signed));

    eventually("the try is logged", SOON, || async { worker.log().contains(got.id()) }).await;
    let log = worker.log();
    assert!(!log.contains("secret") && !log.contains("héllo"), "{log}");
    fleet.finish().await;
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed_and_without_a_webhook_nothing_is_pushed() {
    let fleet = Fleet::start(1).await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = owner.channel_with(json!({ "mode": "claimable", "webhook_url": receiver.url() })).await;
    owner.post_message(&channel, "one").await;
    let got = receiver.gets(1, SOON).await;
    assert!(!got[0].headers.contains_key("x-backchannel-signature") && !got[0].headers.contains_key("webhook-signature"));

    owner.patch(&format!("/v1/channels/{channel}"), json!({ "webhook_url": null })).await.ok(200);
    owner.post_message(&channel, "two").await;
    let other = hooked(&owner, &receiver).await;
    owner.post_message(&other, "three").await;
    receiver.gets_all(&["three".to_owned()], SOON).await;
    assert_eq!(receiver.contents().keys().collect::<Vec<_>>(), ["one", "three"]);
    eventually("both tries are counted", SOON, || async { worker.metric("backchannel_webhook_tries_total").await >= 2.0 }).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_new_member_and_a_mention_are_pushed_the_mention_once_a_minute() {
    let fleet = Fleet::start(2).await;
    let workers = [Worker::start(&fleet, &[]).await, Worker::start(&fleet, &[]).await];
    let (of_channel, of_actor) = (Receiver::start().await, Receiver::start().await);
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    let channel = owner.channel_with(json!({ "mode": "broadcast", "access": "restricted", "webhook_url": of_channel.url() })).await;
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    let got = of_channel.gets(1, SOON).await;
    let expected = json!({ "event": "member_added", "channel_id": channel, "member_key_id": member.key_id, "approved_by": owner.key_id });
    assert_eq!(got[0].json(), expected);

    let me = member.get(&format!("/v1/actors/{}", member.label)).await.ok(200);
    let actor = me["id"].as_str().expect("an id").to_owned();
    member.post(&format!("/v1/actors/{actor}/webhook"), json!({ "url": of_actor.url() })).await.ok(200);
    for n in 0..5 {
        owner.post_to(&channel, json!({ "content": format!("hey {n}"), "mentions": [actor] })).await.ok(201);
    }
    let mention = &of_actor.gets(1, SOON).await[0];
    assert_eq!((mention.json()["event"].as_str(), mention.json()["mentioned_actor_id"].as_str()), (Some("mention"), Some(actor.as_str())));
    of_channel.gets(6, SOON).await;
    eventually("four mentions are dropped", SOON, || async {
        let mut muted = 0.0;
        for worker in &workers {
            let page = worker.metrics().await;
            muted +=
                page.lines().filter(|l| l.contains("why=\"muted\"")).filter_map(|l| l.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>();
        }
        muted == 4.0
    })
    .await;
    assert_eq!(of_actor.got().len(), 1);
    fleet.finish().await;
}

#[tokio::test]
async fn webhooks_of_a_revoked_key_are_silent_and_a_retracted_message_is_told_to_nobody() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (channel, alive) = (hooked(&owner, &receiver).await, hooked(&other, &receiver).await);
    owner.post_message(&channel, "of a revoked key").await;
    let retracted = other.post_message(&alive, "retracted").await;
    other.delete(&format!("/v1/messages/{retracted}")).await.has_status(200);
    other.post_message(&alive, "told").await;
    owner.delete("/v1/keys/me").await.has_status(200);

    let worker = Worker::start(&fleet, &[]).await;
    receiver.gets(1, SOON).await;
    eventually("both are dropped", SOON, || async { worker.metric("backchannel_webhook_dropped_total").await == 2.0 }).await;
    assert_eq!(receiver.contents().keys().collect::<Vec<_>>(), ["told"]);
    fleet.finish().await;
}

#[tokio::test]
async fn a_webhook_that_answers_gone_is_taken_away_and_its_owner_is_told() {
    let fleet = Fleet::start(1).await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    receiver.says(Says::Status(410));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    owner.post_message(&channel, "one").await;
    eventually("the webhook is gone", SOON, || async {
        owner.get(&format!("/v1/channels/{channel}")).await.ok(200).get("webhook").is_none()
    })
    .await;
    let events = owner.get(&format!("/v1/channels/{channel}/events")).await.ok(200);
    assert_eq!(events["data"][0]["event_type"], "webhook_disabled", "{events}");
    eventually("the audit says so", SOON, || async {
        let audit = owner.get("/v1/security/audit").await.ok(200);
        audit["data"].as_array().is_some_and(|list| list.iter().any(|e| e["event_type"] == "webhook.disable"))
    })
    .await;
    owner.post_message(&channel, "two").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.got().len(), 1, "one try, and nothing after it");
    eventually("it is counted, once", SOON, || async { worker.metric("backchannel_webhook_disabled_total").await == 1.0 }).await;
    fleet.finish().await;
}
