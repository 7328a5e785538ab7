//! What every topology must do: the core of the service, over two replicas and a worker.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::SOON;
use crate::fleet::cluster::{handoff, names_aliases_members};
use crate::rooms::{Room, entries};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::worker::Worker;

/// All of it. The fleet has two replicas, and nobody else uses it.
pub async fn core(fleet: &Fleet) {
    let mut worker = Worker::start(fleet, &[]).await;
    handoff(fleet, "handoff").await;
    names_aliases_members(fleet).await;
    let (owner, other) = (&fleet.agent("owner").await, &fleet.agent("other").await);
    // Channels fall anywhere: on a cluster some of these meet each server.
    tokio::join!(
        one_of_many(owner, other),
        ended_lease(owner, other),
        pages(owner, other),
        retries(owner, other),
        invited(owner, other),
        session(owner),
        schema(owner, other),
        room(fleet),
        pushed(owner),
    );
    assert!(worker.terminate().await.success());
}

/// A message is claimed by exactly one of many, whichever replica they ask.
async fn one_of_many(owner: &Agent, other: &Agent) {
    for _ in 0..4 {
        let channel = owner.channel("claimable").await;
        let message = owner.post_message(&channel, "for one").await;
        let asks = (0..16).map(|n| if n % 2 == 0 { owner } else { other }.on(n / 2 % 2).claim_with_lease(&message, 60).into_future());
        let replies = join_all(asks).await;
        let won = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(won, 1, "{:?}", replies.iter().map(|reply| (reply.status, &reply.body)).collect::<Vec<_>>());
        for reply in replies.into_iter().filter(|reply| reply.status != 200) {
            reply.refused(409, "already_claimed");
        }
    }
}

/// A lease that ends wakes one who waits at the other replica; the first holder is told.
async fn ended_lease(owner: &Agent, other: &Agent) {
    let channel = owner.channel("claimable").await;
    let message = owner.post_message(&channel, "twice").await;
    let first = owner.on(0).claim_with_lease(&message, 1).await.ok(200);
    let again = other.on(1).claim_next(&channel, json!({ "wait": 25, "lease_seconds": 60 })).await.ok(200);
    assert_eq!((&again["claimed"]["id"], &again["attempt"]), (&json!(message), &json!(2)));
    let token = |claim: &Value| claim["lease_token"].clone();
    let ack = format!("/v1/messages/{message}/ack");
    owner.post(&ack, json!({ "lease_token": token(&first) })).await.refused(409, "lease_lost");
    other.post(&ack, json!({ "lease_token": token(&again) })).await.ok(200);
}

/// A reader that follows its cursor from replica to replica sees each message once, in order.
async fn pages(owner: &Agent, other: &Agent) {
    let channel = owner.channel("broadcast").await;
    let expected: Vec<_> = (0..25).map(|n| format!("message {n}")).collect();
    for content in &expected {
        owner.post_message(&channel, content).await;
    }
    let (mut seen, mut cursor, mut replica) = (Vec::new(), String::new(), 0);
    while seen.len() < expected.len() {
        let page = other.on(replica).list(&channel, &format!("limit=7&cursor={cursor}")).await.ok(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].as_str().expect("a page goes on").to_owned();
        replica = 1 - replica;
    }
    assert_eq!(seen, expected);
    let end = other.list(&channel, &format!("cursor={cursor}")).await.ok(200);
    assert_eq!((&end["data"], &end["next_cursor"]), (&json!([]), &json!(cursor)));
}

/// Equal requests with one Idempotency-Key are one, also when they meet.
async fn retries(owner: &Agent, other: &Agent) {
    let channel = owner.channel("claimable").await;
    let posts = (0..6).map(|n| owner.on(n % 2).post_to(&channel, json!({ "content": "once" })).once("post").into_future());
    let ids: Vec<_> = join_all(posts).await.into_iter().map(|reply| reply.ok(201)["message"]["id"].clone()).collect();
    assert!(ids.iter().all(|id| id == &ids[0]), "{ids:?}");
    owner.post_message(&channel, "another").await;
    let claim = |replica| other.on(replica).claim_next(&channel, json!({ "lease_seconds": 60 })).once("claim");
    let (one, two) = (claim(0).await.ok(200), claim(1).await.ok(200));
    assert_eq!((&one["claimed"]["id"], &one["lease_token"]), (&ids[0], &two["lease_token"]));
    assert_eq!(owner.list(&channel, "limit=10").await.ok(200)["data"].as_array().map(Vec::len), Some(2));
}

async fn invited(owner: &Agent, other: &Agent) {
    let channel = owner.restricted("claimable").await;
    other.post_to(&channel, json!({ "content": "let me in" })).await.refused(403, "channel_access_denied");
    let made = owner.on(0).post(&format!("/v1/channels/{channel}/invitations"), json!({})).await.ok(201);
    other.on(1).get(&format!("/v1/channel-invitations/{}", made["id"].as_str().unwrap())).await.ok(200);
    other.on(0).post_message(&channel, "I am in").await;
}

async fn session(owner: &Agent) {
    let made = owner.on(0).post("/v1/sessions", json!({ "state": { "step": 1 } })).await.ok(201);
    let path = format!("/v1/sessions/{}", made["id"].as_str().unwrap());
    owner.on(1).patch(&path, json!({ "state": { "more": true } })).await.ok(200);
    assert_eq!(owner.on(0).get(&path).await.ok(200)["state"], json!({ "step": 1, "more": true }));
    owner.on(1).delete(&path).await.ok(200);
    owner.on(0).get(&path).await.refused(404, "session_not_found");
}

async fn schema(owner: &Agent, other: &Agent) {
    let schema = json!({ "type": "object", "required": ["severity"] });
    let channel = owner.channel_with(json!({ "mode": "claimable", "metadata_schema": schema })).await;
    for replica in 0..2 {
        other.on(replica).post_to(&channel, json!({ "content": "x" })).await.refused(422, "metadata_validation_failed");
        other.on(replica).post_to(&channel, json!({ "content": "x", "metadata": { "severity": 1 } })).await.ok(201);
    }
}

/// What is sent at one replica wakes who polls at the other.
async fn room(fleet: &Fleet) {
    let room = Room::make(&fleet.client_on(0)).await;
    let there = Room { client: fleet.client_on(1), ..room.clone() };
    let (ada, bob) = (room.joined("ada").await, there.joined("bob").await);
    let poll = tokio::spawn(there.poll(&bob, 2).into_future());
    tokio::time::sleep(Duration::from_millis(100)).await; // it may have to wait, and need not
    room.send(&ada, "bm90IGZvciB0aGUgc2VydmVy").await.ok(200);
    let page = tokio::time::timeout(SOON, poll).await.expect("the poll sleeps on").unwrap().ok(200);
    assert_eq!(entries(&page), [(2, "message".to_owned(), "ada".to_owned())]);
    assert_eq!(page["messages"][0]["text"], "bm90IGZvciB0aGUgc2VydmVy");
    there.leave(&bob).await.ok(200);
}

/// Several channels, so that several queues of jobs are met.
async fn pushed(owner: &Agent) {
    let receiver = Receiver::start().await;
    let mut contents = Vec::new();
    for n in 0..6 {
        let channel = owner.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url() })).await;
        contents.push(format!("hook {n}"));
        owner.on(n % 2).post_message(&channel, &contents[n]).await;
    }
    receiver.gets_all(&contents, SOON).await;
    assert!(receiver.contents().values().all(|times| *times == 1), "nothing was broken, so nothing comes twice");
}
