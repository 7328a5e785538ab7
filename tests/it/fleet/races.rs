//! Many want one message; one gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

const MESSAGES: usize = 1000;
const CLAIMERS: usize = 64;

/// Invariants 1 and 2: no message to two, none to nobody.
#[tokio::test]
async fn sixty_four_claimers_over_three_replicas_take_a_thousand_messages_once_each() {
    let fleet = Fleet::start(3).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let posts = (0..MESSAGES).map(|n| {
        let (poster, channel) = (&poster, &channel);
        async move { poster.post_message(channel, &format!("{n}")).await }
    });
    let posted: Arc<Vec<String>> = Arc::new(stream::iter(posts).buffer_unordered(32).collect().await);

    let mut claimers = JoinSet::new();
    for n in 0..CLAIMERS {
        let claimer = Claimer { agent: worker.on(n % 3), channel: channel.clone(), name: format!("claimer-{n}") };
        let posted = posted.clone();
        claimers.spawn(async move {
            match n % 8 {
                // Each from another place, so that they cross each other and those who take the oldest.
                0 => claimer.by_id(&posted, n * posted.len() / CLAIMERS).await,
                1 | 5 => claimer.next(json!({ "lease_seconds": 600, "max": 3 })).await,
                2 | 6 => claimer.next(json!({ "wait": 0.1 })).await,
                _ => claimer.next(json!({})).await,
            }
        });
    }
    let mut takers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(claimer) = claimers.join_next().await {
        let (name, taken) = claimer.unwrap();
        for message in taken {
            takers.entry(message).or_default().push(name.clone());
        }
    }
    let twice: Vec<_> = takers.iter().filter(|(_, by)| by.len() > 1).collect();
    assert!(twice.is_empty(), "given to more than one: {twice:?}");
    assert_eq!(takers.into_keys().collect::<BTreeSet<_>>(), posted.iter().cloned().collect(), "each was given to somebody");
    let left = worker.claim_next(&channel, json!({})).await.ok(200);
    assert_eq!(left["claimed"], Value::Null);
    fleet.finish().await;
}

struct Claimer {
    agent: Agent,
    channel: String,
    name: String,
}

impl Claimer {
    /// Claims until there is nothing; acks every second one, since acks and claims cross in real life too.
    async fn next(self, mut fields: Value) -> (String, Vec<String>) {
        fields["actor"] = self.name.clone().into();
        let mut taken = Vec::new();
        loop {
            let got = self.agent.claim_next(&self.channel, fields.clone()).await.ok(200);
            let messages: Vec<&Value> = match got["claims"].as_array() {
                Some(claims) => claims.iter().map(|claim| &claim["message"]).collect(),
                None => Some(&got["claimed"]).filter(|claimed| !claimed.is_null()).into_iter().collect(),
            };
            if messages.is_empty() {
                return (self.name, taken);
            }
            for message in messages {
                self.took(message, &mut taken).await;
            }
        }
    }

    /// Tries every message once, from `start` on.
    async fn by_id(self, posted: &[String], start: usize) -> (String, Vec<String>) {
        let mut taken = Vec::new();
        for message in posted.iter().cycle().skip(start).take(posted.len()) {
            let path = format!("/v1/messages/{message}/claim");
            let reply = self.agent.post(&path, json!({ "actor": self.name })).await;
            if reply.status == 409 {
                reply.refused(409, "already_claimed");
            } else {
                self.took(&reply.ok(200)["message"], &mut taken).await;
            }
        }
        (self.name, taken)
    }

    async fn took(&self, message: &Value, taken: &mut Vec<String>) {
        assert_eq!((&message["claimed_by"]["name"], &message["attempt"]), (&json!(self.name), &json!(1)), "{message}");
        let id = message["id"].as_str().unwrap().to_owned();
        if taken.len().is_multiple_of(2) {
            self.agent.post(&format!("/v1/messages/{id}/ack"), json!({ "actor": self.name })).await.ok(200);
        }
        taken.push(id);
    }
}

#[tokio::test]
async fn of_two_hundred_claims_of_one_message_one_wins() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, rival) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("rival").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let claims = (0..200).map(|n| {
        let agent = if n % 4 < 2 { &worker } else { &rival }.on(n % 2);
        let path = format!("/v1/messages/{message}/{}", if n % 3 == 0 { "claim-with-lease" } else { "claim" });
        async move { (n, agent.post(&path, json!({ "actor": format!("actor-{n}") })).await) }
    });
    let mut winners = Vec::new();
    for (n, reply) in join_all(claims).await {
        if reply.status == 200 {
            winners.push((n, reply.ok(200)["status"].clone()));
        } else {
            reply.refused(409, "already_claimed");
        }
    }
    assert!(matches!(&winners[..], [(_, status)] if status == "claimed"), "{winners:?}");
    let holder = poster.list(&channel, "status=claimed").await.ok(200)["data"][0]["claimed_by"]["name"].clone();
    assert_eq!(holder, json!(format!("actor-{}", winners[0].0)), "the one who was told so holds it");
    fleet.finish().await;
}

#[tokio::test]
async fn when_a_lease_ends_under_many_claimers_one_of_them_gets_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    worker.claim_with_lease(&message, 1).await.ok(200);
    // They ask again and again across the end of the lease, by id, by turn, and by waiting, until somebody has it.
    let found = Arc::new(tokio::sync::Notify::new());
    let tries = (0..24).map(|n| {
        let (agent, channel, message, name) = (worker.on(n % 2), &channel, &message, format!("claimer-{n}"));
        let found = found.clone();
        async move {
            let over = found.notified();
            tokio::pin!(over);
            loop {
                let asked = match n % 3 {
                    0 => agent.post(&format!("/v1/messages/{message}/claim-with-lease"), json!({ "actor": name })),
                    1 => agent.claim_next(channel, json!({ "actor": name, "lease_seconds": 300 })),
                    _ => agent.claim_next(channel, json!({ "actor": name, "wait": 0.3 })),
                };
                let reply = asked.await;
                if reply.status == 200 && !(n % 3 > 0 && reply.body["claimed"].is_null()) {
                    found.notify_waiters();
                    return Some(reply.ok(200));
                }
                if futures::poll!(&mut over).is_ready() {
                    return None;
                }
            }
        }
    });
    let won: Vec<Value> = tokio::time::timeout(Duration::from_secs(30), join_all(tries)).await.unwrap().into_iter().flatten().collect();
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(won[0]["attempt"], 2);
    fleet.finish().await;
}

/// Either the ack counts, or the claim of another; whoever is told yes is right.
#[tokio::test]
async fn an_ack_that_races_with_the_end_of_its_lease_counts_or_the_other_claim_does() {
    let fleet = Fleet::start(2).await;
    let (poster, holder, other) = (fleet.agent("poster").await, fleet.agent("holder").await, fleet.agent("other").await);
    let channel = poster.channel("claimable").await;
    let rounds = (0..16u64).map(|round| {
        let (poster, holder, other, channel) = (&poster, &holder, &other, &channel);
        async move {
            let message = poster.post_message(channel, &format!("{round}")).await;
            let leased = holder.claim_with_lease(&message, 1).await.ok(200);
            // Around the end, from a little before to a little after; the claimer asks all the time.
            tokio::time::sleep(Duration::from_millis(960 + round * 5)).await;
            let (acks, claims) = (holder.on(0), other.on(1));
            let path = format!("/v1/messages/{message}/ack");
            let ack = async { acks.post(&path, json!({ "lease_token": leased["lease_token"] })).await };
            let claim = async {
                for _ in 0..40 {
                    let reply = claims.claim_with_lease(&message, 600).await;
                    if reply.status == 200 {
                        return Some(reply.ok(200));
                    }
                    if reply.refused(409, "already_claimed")["state"] == "done" {
                        return None;
                    }
                }
                None
            };
            let (ack, claim) = tokio::join!(ack, claim);
            let acked = ack.status == 200;
            if !acked {
                ack.refused(409, "lease_lost");
            }
            (message, acked, claim)
        }
    });
    let ended = join_all(rounds).await;
    for (message, acked, claim) in &ended {
        assert!(!(*acked && claim.is_some()), "acked by one, then claimed by another: {message}");
        if !acked && claim.is_none() {
            // The lease had ended and the claimer had given up before: it is free.
            other.claim_with_lease(message, 600).await.ok(200);
        }
    }
    eventually("the acked ones are done, the others held by the other", Duration::from_secs(10), || async {
        let page = poster.list(&channel, "").await.ok(200);
        ended.iter().all(|(message, acked, _)| {
            let seen = page["data"].as_array().unwrap().iter().find(|seen| seen["id"] == json!(message)).unwrap();
            let (state, key) = if *acked { ("done", &holder.key_id) } else { ("claimed", &other.key_id) };
            seen["state"] == state && seen["claimed_by_key_id"] == json!(key)
        })
    })
    .await;
    fleet.finish().await;
}
