//! Targets that misbehave: each is tried again as it should be, and costs nobody else.

use std::time::Duration;

use serde_json::json;

use super::{QUICK_RETRIES, SOON, hooked, post_many};
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

#[tokio::test]
async fn a_failed_delivery_comes_again_with_the_same_id() {
    let fleet = Fleet::start(1).await;
    // Each wait is long enough to tell the receiver what to say next, the last one above all.
    let retries = ("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.5,1,2,7");
    let (worker, receiver) = (Worker::start(&fleet, &[retries]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    receiver.says(Says::Status(500));
    owner.post_message(&channel, "again").await;
    receiver.gets(2, SOON).await;
    receiver.says(Says::Closes);
    receiver.gets(3, SOON).await;
    receiver.says(Says::Resets("HTTP/1.1 200 OK\r\ncontent-le"));
    receiver.gets(4, SOON).await;
    // The status decides, whatever becomes of the body.
    receiver.says(Says::Resets("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of"));
    let got = receiver.gets(5, SOON).await;
    assert!(got.iter().all(|g| g.id() == got[0].id() && g.text == got[0].text));
    assert_eq!(got.iter().map(|g| g.header("x-backchannel-attempt")).collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(receiver.got().len(), 5, "delivered is delivered");
    assert_eq!(worker.metric("backchannel_webhook_dropped_total").await, 0.0, "the fifth try was the last one");
    fleet.finish().await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_what_fails_for_good_is_given_up() {
    let fleet = Fleet::start(1).await;
    let (worker, receiver) = (Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.1,0.1")]).await, Receiver::start().await);
    receiver.says(Says::With(302, "location", "http://169.254.169.254/latest/meta-data/"));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    owner.post_message(&channel, "elsewhere").await;
    eventually("it is given up", SOON, || async { worker.metric("backchannel_webhook_dropped_total").await == 1.0 }).await;
    assert_eq!(receiver.got().len(), 3);
    assert!(worker.metrics().await.contains("backchannel_webhook_tries_total{end=\"redirect\"} 3"));
    fleet.finish().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let fleet = Fleet::start(1).await;
    let (_worker, receiver) = (Worker::start(&fleet, &[QUICK_RETRIES]).await, Receiver::start().await);
    receiver.says(Says::With(429, "retry-after", "3"));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    owner.post_message(&channel, "slowly").await;
    receiver.gets(1, SOON).await;
    receiver.says(Says::Status(200));
    let got = receiver.gets(2, SOON).await;
    assert!(got[1].at - got[0].at >= Duration::from_secs(3), "{:?}", got[1].at - got[0].at);
    fleet.finish().await;
}

#[tokio::test]
async fn addresses_that_are_not_allowed_are_not_connected_to() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    // The replica allows loopback, the worker does not.
    let worker = Worker::start(&fleet, &[QUICK_RETRIES, ("BACKCHANNEL_WEBHOOK_ALLOW_NETWORKS", "127.9.9.9/32")]).await;
    owner.post_message(&channel, "no").await;
    eventually("it is tried twice", SOON, || async {
        let page = worker.metrics().await;
        let refused = page.lines().find_map(|l| l.strip_prefix("backchannel_webhook_tries_total{end=\"refused_address\"} "));
        refused.is_some_and(|tries| tries.parse::<u64>().is_ok_and(|tries| tries >= 2))
    })
    .await;
    assert_eq!(receiver.accepted(), 0);
    fleet.finish().await;
}

#[tokio::test]
async fn a_hanging_target_does_not_hold_up_others() {
    let fleet = Fleet::start(1).await;
    // Who waited for a hanging try would wait for a minute.
    let settings = [QUICK_RETRIES, ("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", "60")];
    let (worker, dead, alive) = (Worker::start(&fleet, &settings).await, Receiver::start().await, Receiver::start().await);
    dead.says(Says::Hangs);
    let owner = fleet.agent("owner").await;
    let (to_dead, to_alive) = (hooked(&owner, &dead).await, hooked(&owner, &alive).await);
    post_many(&owner, &to_dead, 100).await;
    dead.holds_one().await;
    let began = std::time::Instant::now();
    let contents = post_many(&owner, &to_alive, 50).await;
    alive.gets_all(&contents, SOON * 2).await;
    assert!(began.elapsed() < Duration::from_secs(28), "{:?}", began.elapsed());
    assert!(dead.got().len() <= 8, "{} at once at one host", dead.got().len());
    assert!(worker.metric("backchannel_webhook_put_off_total").await > 0.0);
    fleet.abandon();
}

#[tokio::test]
async fn a_url_that_cannot_be_allowed_is_refused_when_it_is_set() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let channel = owner.channel("broadcast").await;
    for url in ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://0x0a.1/", "http://example.com:22/"] {
        let path = format!("/v1/channels/{channel}");
        assert_eq!(owner.patch(&path, json!({ "webhook_url": url })).await.refused(422, "invalid_webhook_url")["field"], "webhook_url");
        let new = json!({ "name": "new", "mode": "broadcast", "webhook_url": url });
        owner.post("/v1/channels", new).await.refused(422, "invalid_webhook_url");
        let me = format!("/v1/actors/{}/webhook", owner.label);
        assert_eq!(owner.post(&me, json!({ "url": url })).await.refused(422, "invalid_webhook_url")["field"], "url");
    }
    fleet.finish().await;
}
