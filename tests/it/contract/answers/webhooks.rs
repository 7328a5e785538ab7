//! Answers about webhooks: they need a worker and a receiver.

use std::time::Duration;

use serde_json::json;

use super::Answers;
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::wait::eventually;
use crate::support::worker::Worker;

pub async fn ask(agent: &Agent, fleet: &Fleet, answers: &mut Answers) {
    let retries = ("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0");
    let (_worker, receiver) = (Worker::start(fleet, &[retries]).await, Receiver::start().await);
    receiver.says(Says::Status(500));
    let channel = agent.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url() })).await;
    agent.post_message(&channel, "pushed").await;
    let actor = format!("/v1/actors/{}", agent.label);
    agent.post(&format!("{actor}/webhook"), json!({ "url": receiver.url() })).await.ok(200);
    for (of, path) in [("Channel", format!("/v1/channels/{channel}/webhook")), ("Actor", format!("{actor}/webhook"))] {
        answers.keep(&format!("test{of}Webhook"), 202, agent.post(&format!("{path}/test"), json!({}))).await;
        let letters = format!("{path}/dead-letters");
        eventually("a dead letter", Duration::from_secs(40), || async {
            agent.get(&letters).await.ok(200)["data"].as_array().is_some_and(|list| !list.is_empty())
        })
        .await;
        answers.keep(&format!("list{of}WebhookDeadLetters"), 200, agent.get(&letters)).await;
        let tries = answers.keep(&format!("list{of}WebhookDeliveries"), 200, agent.get(&format!("{path}/deliveries"))).await;
        let id = tries["data"][0]["delivery_id"].as_str().expect("an id");
        answers.keep(&format!("redrive{of}WebhookDeadLetters"), 202, agent.post(&format!("{letters}/redrive"), json!({}))).await;
        let replay = agent.post(&format!("{path}/deliveries/{id}/replay"), json!({}));
        answers.keep(&format!("replay{of}WebhookDelivery"), 202, replay).await;
        let unknown = agent.post(&format!("{path}/deliveries/dlv_x/replay"), json!({}));
        answers.keep(&format!("replay{of}WebhookDelivery"), 404, unknown).await;
    }
}
