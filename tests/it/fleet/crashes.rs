//! Replicas that die or freeze in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(45);
const WRITERS: usize = 6;
const WORKERS: usize = 6;
const READERS: usize = 3;
const LEASE: Duration = Duration::from_secs(2);
/// What is posted last.
const THE_END: &str = "the end";
/// Before the first replica is in trouble, between the two, and after the second at least.
const TASKS_A_PHASE: usize = 60;

/// Invariant 2, with replicas killed while posts, claims, acks and long-polls are on their way: what was answered holds.
#[tokio::test]
async fn replicas_killed_in_mid_flight_lose_nothing_that_was_answered() {
    in_mid_flight(Client::OfTheKilled, async |fleet: &Fleet, at_work: &AtWork| {
        fleet.kill9(0);
        at_work.goes_on().await;
        fleet.kill9(1);
        fleet.restart(0).await;
    })
    .await;
}

/// The same with replicas that stop answering, longer than leases run, and then go on with what they were at.
#[tokio::test]
async fn replicas_frozen_in_mid_flight_lose_nothing_and_do_nothing_twice() {
    in_mid_flight(Client::OfTheFrozen, async |fleet: &Fleet, at_work: &AtWork| {
        for replica in 0..2 {
            fleet.freeze(replica);
            tokio::time::sleep(LEASE + Duration::from_millis(300)).await;
            at_work.goes_on().await;
            fleet.thaw(replica);
        }
    })
    .await;
}

/// Posters, workers and readers that go on, whatever happens to replicas.
struct AtWork {
    posted: Arc<AtomicUsize>,
}

impl AtWork {
    async fn goes_on(&self) {
        let least = self.posted.load(SeqCst) + TASKS_A_PHASE;
        eventually("posting goes on", SOON, || async { self.posted.load(SeqCst) >= least }).await;
    }
}

async fn in_mid_flight(client: Client, trouble: impl AsyncFn(&Fleet, &AtWork)) {
    let builder = Fleet::builder().replicas(3);
    // Where nobody is frozen nobody is to be told that Redis did not answer in time, however busy this machine is.
    let builder = if matches!(client, Client::OfTheKilled) { builder.env("BACKCHANNEL_REDIS_TIMEOUT_MS", "10000") } else { builder };
    let fleet = builder.start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let (posted, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    // Workers go on until the last message is there: a writer may be late with its own.
    let over = Arc::new(AtomicBool::new(false));

    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        writers.spawn(post_until_closed(client, poster.clone(), channel.clone(), n, posted.clone(), closed.clone()));
    }
    let mut workers = JoinSet::new();
    for n in 0..WORKERS {
        workers.spawn(work_until_empty(client, worker.clone(), channel.clone(), n, over.clone()));
    }
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(read_to_the_end(client, poster.clone(), channel.clone()));
    }
    let at_work = AtWork { posted };
    at_work.goes_on().await;
    trouble(&fleet, &at_work).await;
    at_work.goes_on().await;
    closed.store(true, SeqCst);

    let mut answered = BTreeMap::new();
    while let Some(of_one) = writers.join_next().await {
        answered.extend(of_one.unwrap());
    }
    let end = client.until_known(|| poster.post_to(&channel, json!({ "content": THE_END })).once(THE_END)).await.ok(201);
    answered.insert(THE_END.to_owned(), end["message"]["id"].as_str().unwrap().to_owned());
    over.store(true, SeqCst);
    let mut acked: Vec<String> = Vec::new();
    while let Some(of_one) = workers.join_next().await {
        acked.extend(of_one.unwrap());
    }
    let once: BTreeSet<_> = acked.iter().cloned().collect();
    assert_eq!(once.len(), acked.len(), "an ack that was answered is the only one of its message");

    // Every post that was answered is there once, under the id that was answered, and is done.
    let (mut seen, mut in_order) = (BTreeMap::new(), Vec::new());
    let mut cursor = String::new();
    loop {
        let page = poster.list(&channel, &format!("limit=100&cursor={cursor}")).await.ok(200);
        let Some(last) = page["next_cursor"].as_str().filter(|last| *last != cursor) else { break };
        for message in page["data"].as_array().unwrap() {
            assert_eq!(message["state"], "done", "left behind: {message}");
            let (content, id) = (message["content"].as_str().unwrap().to_owned(), message["id"].as_str().unwrap().to_owned());
            in_order.push(id.clone());
            assert!(seen.insert(content, id).is_none(), "posted twice: {message}");
        }
        cursor = last.to_owned();
    }
    for (content, id) in &answered {
        assert_eq!(seen.get(content), Some(id), "{content} was answered");
    }
    assert!(acked.iter().all(|id| seen.values().any(|other| other == id)));
    while let Some(read) = readers.join_next().await {
        assert_eq!(read.unwrap(), in_order, "who waited through it all saw each message once, in order");
    }
    fleet.finish().await;
}

/// Waits for messages, page after page, up to the last one; their ids.
async fn read_to_the_end(client: Client, reader: Agent, channel: String) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client
            .until_answered(Duration::from_secs(10), || reader.list(&channel, &format!("wait=2&limit=7&cursor={cursor}")))
            .await
            .ok(200);
        for message in page["data"].as_array().unwrap() {
            seen.push(message["id"].as_str().unwrap().to_owned());
            if message["content"] == THE_END {
                return seen;
            }
        }
        page["next_cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
    }
}

/// Posts under an Idempotency-Key until it is answered; content → id.
async fn post_until_closed(
    client: Client,
    poster: Agent,
    channel: String,
    n: usize,
    posted: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
) -> Vec<(String, String)> {
    let mut answered = Vec::new();
    while !closed.load(SeqCst) {
        let content = format!("{n}-{}", answered.len());
        let post = || poster.post_to(&channel, json!({ "content": content })).once(&content);
        let message = client.until_known(post).await.ok(201)["message"]["id"].as_str().unwrap().to_owned();
        answered.push((content, message));
        posted.fetch_add(1, SeqCst);
    }
    answered
}

/// Claims with a wait, acks; a claim whose answer was lost comes back when its lease ends. Ids of what it was told is done.
async fn work_until_empty(client: Client, worker: Agent, channel: String, n: usize, over: Arc<AtomicBool>) -> Vec<String> {
    let mut acked = Vec::new();
    loop {
        let was_over = over.load(SeqCst);
        let claim = || worker.claim_next(&channel, json!({ "wait": 0.5, "lease_seconds": LEASE.as_secs(), "actor": format!("w{n}") }));
        let got = client.until_answered(Duration::from_millis(500), claim).await.ok(200);
        let Some(id) = got["claimed"]["id"].as_str() else {
            // Under a lease means taken by an answer that was lost, or by a worker who is about to ack.
            let held = client.until_known(|| worker.list(&channel, "limit=100&status=claimed")).await.ok(200);
            let open = client.until_known(|| worker.list(&channel, "limit=100&status=unclaimed")).await.ok(200);
            if was_over && all_done(client, &held, &worker, &channel).await && open["data"] == json!([]) {
                return acked;
            }
            continue;
        };
        let body = json!({ "lease_token": got["lease_token"], "actor": format!("w{n}") });
        let reply = client.until_known(|| worker.post(&format!("/v1/messages/{id}/ack"), body.clone())).await;
        if reply.status == 409 {
            reply.refused(409, "lease_lost"); // the retries took longer than the lease
        } else {
            reply.ok(200);
            acked.push(id.to_owned());
        }
    }
}

async fn all_done(client: Client, first: &serde_json::Value, worker: &Agent, channel: &str) -> bool {
    let mut page = first.clone();
    loop {
        let messages = page["data"].as_array().unwrap();
        if messages.iter().any(|message| message["state"] != "done") {
            return false;
        }
        let Some(cursor) = page["next_cursor"].as_str().filter(|_| !messages.is_empty()).map(str::to_owned) else { return true };
        page = client.until_known(|| worker.list(channel, &format!("limit=100&status=claimed&cursor={cursor}"))).await.ok(200);
    }
}

/// What a client behind a load balancer does: connection refused or broken, or no answer in time, again at the next replica.
#[derive(Clone, Copy)]
enum Client {
    /// A dying replica says nothing, it does not lie.
    OfTheKilled,
    /// It goes elsewhere soon; and who was frozen does not know better than that Redis did not answer in time.
    OfTheFrozen,
}

impl Client {
    /// `held`: how long the request itself waits for something.
    async fn until_answered(self, held: Duration, ask: impl Fn() -> Ask) -> Reply {
        loop {
            let patience = if matches!(self, Self::OfTheFrozen) { Duration::from_millis(700) } else { Duration::from_secs(15) };
            match ask().within(held + patience).attempt().await {
                Ok(reply) if reply.status < 500 => return reply,
                Ok(reply) => assert!(matches!(self, Self::OfTheFrozen) && reply.status == 503, "{reply:?}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    async fn until_known(self, ask: impl Fn() -> Ask) -> Reply {
        self.until_answered(Duration::ZERO, ask).await
    }
}

#[tokio::test]
async fn who_waits_at_a_replica_that_is_killed_goes_on_at_another() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (worker, channel) = (worker.on(0), channel.clone());
            tokio::spawn(async move { worker.claim_next(&channel, json!({ "wait": 25 })).attempt().await })
        })
        .collect();
    eventually("four wait", SOON, || async { fleet.metric(0, "backchannel_waiters").await == Some(4.0) }).await;
    fleet.kill9(0);
    for waiter in waiting {
        assert!(waiter.await.unwrap().is_err(), "the connection breaks");
    }
    // The dead take nothing with them.
    let message = poster.post_message(&channel, "a task").await;
    let got = worker.claim_next(&channel, json!({ "wait": 5 })).await.ok(200);
    assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(message), &json!(1)));
    fleet.restart(0).await;
    assert_eq!(worker.on(0).ack(&message).await.ok(200)["status"], "acknowledged");
    fleet.finish().await;
}

#[tokio::test]
async fn a_frozen_replica_cannot_ack_what_its_lease_has_lost() {
    let fleet = Fleet::start(2).await;
    let (poster, sleeper, worker) = (fleet.agent("poster").await, fleet.agent("sleeper").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let waiting = poster.post_message(&channel, "another").await;
    let leased = sleeper.on(0).claim_with_lease(&message, 1).await.ok(200);
    sleeper.on(0).claim(&waiting).await.ok(200);
    fleet.freeze(0);
    // The ack is on its way, in the frozen replica, before the lease ends.
    let path = format!("/v1/messages/{message}/ack");
    let body = json!({ "lease_token": leased["lease_token"] });
    let late = tokio::spawn(sleeper.on(0).post(&path, body.clone()).into_future());

    let got = worker.on(1).claim_next(&channel, json!({ "wait": 20, "lease_seconds": 600 })).await.ok(200);
    assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(message), &json!(2)));
    fleet.thaw(0);
    let refusal = late.await.unwrap().refused(409, "lease_lost");
    assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("claimed")));
    sleeper.on(0).post(&path, body).await.refused(409, "lease_lost");
    sleeper.on(0).heartbeat(leased["lease_token"].as_str().unwrap(), 60).await.refused(410, "lease_expired");
    assert_eq!(worker.on(0).post(&path, json!({ "lease_token": got["lease_token"] })).await.ok(200)["status"], "acknowledged");
    // What it held without a lease it still holds.
    worker.claim(&waiting).await.refused(409, "already_claimed");
    assert_eq!(sleeper.on(0).ack(&waiting).await.ok(200)["status"], "acknowledged");
    fleet.finish().await;
}
