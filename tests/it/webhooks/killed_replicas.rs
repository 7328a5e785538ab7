//! Replicas that are killed between their answer and the hand-over: what they have written arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::json;

use super::verify_example::verify;
use super::{SOON, hooked};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Got, Receiver};
use crate::support::worker::Worker;

const ROUNDS: usize = 8;
/// Requests under way at the replica that is killed.
const AT_ONCE: usize = 24;

/// Posts to both replicas, and kills one as soon as so many of its answers were read; the contents that were answered.
async fn killed_after(fleet: &Fleet, owner: &Agent, channels: &[String; 2], victim: usize, round: usize, answers: usize) -> Vec<String> {
    let posts = |replica: usize| {
        let owner = owner.on(replica);
        let asked = (0..AT_ONCE).map(move |n| {
            let content = format!("round {round} replica {replica} {n}");
            let ask = owner.post_to(&channels[replica], json!({ "content": content }));
            async move { (replica, content, ask.attempt().await.is_ok_and(|reply| reply.status == 201)) }
        });
        asked.collect::<Vec<_>>()
    };
    let mut running: FuturesUnordered<_> = posts(0).into_iter().chain(posts(1)).collect();
    let (mut answered, mut of_victim) = (Vec::new(), 0);
    while let Some((replica, content, ok)) = running.next().await {
        if !ok {
            assert_eq!(replica, victim, "the other replica answers all");
            continue;
        }
        answered.push(content);
        of_victim += usize::from(replica == victim);
        if replica == victim && of_victim == answers {
            fleet.kill9(victim);
        }
    }
    answered
}

/// All that a channel holds: also what was written and never answered.
async fn written(owner: &Agent, channel: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.list(channel, &format!("limit=100{cursor}")).await.ok(200);
        let data = page["data"].as_array().expect("a page").clone();
        all.extend(data.iter().map(|m| m["content"].as_str().expect("content").to_owned()));
        if data.len() < 100 {
            return all;
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().expect("a cursor").replace('+', "%2B"));
    }
}

fn is_signed(got: &Got) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    verify(got.id(), got.header("webhook-timestamp"), got.header("webhook-signature"), got.text.as_bytes(), "secret", now)
}

#[tokio::test]
async fn what_replicas_wrote_and_did_not_hand_over_before_they_were_killed_arrives() {
    let fleet = Fleet::start(2).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channels = [hooked(&owner, &receiver).await, hooked(&owner, &receiver).await];
    let _workers = (Worker::start(&fleet, &[]).await, Worker::start(&fleet, &[]).await);
    let (mut answered, mut orphans) = (Vec::new(), 0);
    // Workers sweep meanwhile: on a slow machine it may take more rounds until one is seen before they come.
    let mut round = 0;
    while round < ROUNDS || orphans == 0 && round < 5 * ROUNDS {
        let victim = round % 2;
        let answers = [1, 2, 5, 12][round / 2 % 4];
        answered.extend(killed_after(&fleet, &owner, &channels, victim, round, answers).await);
        // Nobody but the dead one would have handed these over.
        orphans += fleet.redis().run::<usize>(&["XLEN", &format!("{}{{{}}}:outbox", fleet.prefix(), channels[victim])]);
        fleet.restart(victim).await;
        round += 1;
    }
    assert!(orphans > 0, "no replica died before it had handed over all");
    let mut all = written(&owner, &channels[0]).await;
    all.extend(written(&owner, &channels[1]).await);
    let of_log: BTreeSet<&String> = all.iter().collect();
    assert!(answered.iter().all(|content| of_log.contains(content)), "what was answered was written");
    receiver.gets_all(&all, SOON * 2).await;

    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in receiver.got() {
        assert!(is_signed(&got), "{got:?}");
        ids.entry(got.content()).or_default().push(got.id().to_owned());
    }
    let twice: usize = ids.values().map(|ids| ids.len() - 1).sum();
    for (content, ids) in &ids {
        assert!(ids.iter().all(|id| *id == ids[0]), "{content}: {ids:?}");
    }
    assert_eq!(ids.len(), all.len(), "nothing else came");
    assert_eq!(twice, 0, "the queue knows what it was given, and no worker died");
    println!("{round} killed replicas: {} answered, {} written, {orphans} left in outboxes, {twice} twice", answered.len(), all.len());
    fleet.finish().await;
}
