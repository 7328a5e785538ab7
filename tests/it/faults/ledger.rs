//! What was answered during a fault, and what became of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::unique;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// No answer by then is a hang. Several times what the slowest request of these fleets may take.
const HANG: Duration = Duration::from_secs(10);
/// Within seconds; on two busy cores, and where sentinels or a cluster had to vote twice, it may be more.
const WHOLE_AGAIN: Duration = Duration::from_secs(45);
/// From a post on, for all whom it wakes. Who is not woken looks again by itself 20 s after it looked last, at the earliest.
const WOKEN: Duration = Duration::from_secs(12);
/// For waiters who are to wait through a fault, however long this machine takes: the longest wait that a replica can be set to grant.
pub const THROUGH_IT_ALL: u32 = 50;
/// What a burst of requests may leave behind in a replica while Redis is away.
const MOST_MEMORY: f64 = 150e6;

/// A fleet that gives up on a silent Redis after 0.8 s. Waits may be as long as [`THROUGH_IT_ALL`].
pub fn fleet(redis: &Arc<RedisServer>, replicas: usize) -> Builder {
    let longest = THROUGH_IT_ALL.to_string();
    let builder = Fleet::builder().replicas(replicas).redis(redis).env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", &longest);
    builder.env("BACKCHANNEL_REDIS_TIMEOUT_MS", "800")
}

/// The same for faults in which Redis says something, or is gone: that a busy machine lets it pause is none of them.
pub fn patient_fleet(redis: &Arc<RedisServer>, replicas: usize) -> Builder {
    fleet(redis, replicas).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "5000")
}

/// Asks again while it is told that Redis did not answer: where a fleet gives it 0.8 s, a busy machine needs no fault for that. For what may be
/// asked twice.
async fn answered(ask: impl Fn() -> Ask) -> Reply {
    let began = Instant::now();
    loop {
        let reply = ask().await;
        if reply.status != 503 || began.elapsed() > WHOLE_AGAIN {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a request came to while something was broken.
#[derive(Debug)]
pub enum Outcome {
    Done(Value),
    /// Another answer than 2xx and 503: a refusal that has nothing to do with the fault.
    No(u16, String),
    /// 503 with this code: nothing was changed, or asking again is safe.
    Refused(String),
    /// 503 `outcome_unknown`, or `not_replicated`: it may be done, and may stay done.
    Unknown(String),
}

impl Outcome {
    /// Sends it. Fails the test when there is no answer, or a 503 without code or Retry-After, or any other 5xx.
    pub async fn of(ask: Ask) -> Self {
        let reply = ask.within(HANG).attempt().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        if reply.status < 400 {
            return Self::Done(reply.body);
        }
        let (status, word) = (reply.status, reply.body["error"].as_str().unwrap_or_default().to_owned());
        reply.refused(if status < 500 { status } else { 503 }, &word);
        match (status, word.as_str()) {
            (503, "outcome_unknown" | "not_replicated") => Self::Unknown(word),
            (503, "storage_unavailable" | "storage_full" | "overloaded") => Self::Refused(word),
            (503, _) => panic!("503 {word} is no answer to a fault"),
            _ => Self::No(status, word),
        }
    }

    fn done(self) -> Option<Value> {
        if let Self::Done(body) = self { Some(body) } else { None }
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// 503 in one of its ways.
    pub fn is_503(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unknown(_))
    }
}

/// Posts and claims in one channel, by what was answered.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Contents answered 201.
    pub posted: Vec<String>,
    /// Contents refused: not there.
    pub refused: Vec<String>,
    /// Contents of which nobody knows: there at most once.
    pub unknown: Vec<String>,
    /// Message id and lease token of claims answered 200 and not acked.
    pub(super) held: Vec<(String, String)>,
    /// Message ids of acks answered 200.
    pub(super) acked: Vec<String>,
    /// When each content, claim and ack was answered first.
    pub(super) when: HashMap<String, Timestamp>,
    /// Codes of all refusals.
    pub codes: Vec<String>,
}

impl Ledger {
    /// That many posts at once, without Idempotency-Key, over all replicas.
    pub async fn posts(agent: &Agent, channel: &str, count: usize) -> Self {
        let mut all = Self::default();
        let one = |_| async { Self::default().post(agent, channel).await };
        let parts: Vec<Self> = stream::iter(0..count).map(one).buffer_unordered(400).collect().await;
        parts.into_iter().for_each(|part| all.add(part));
        all
    }

    async fn post(mut self, agent: &Agent, channel: &str) -> Self {
        let content = format!("task {}", unique());
        match Outcome::of(agent.post_to(channel, json!({ "content": content }))).await {
            Outcome::Done(_) => {
                self.note(&content);
                self.posted.push(content);
            }
            Outcome::Refused(code) => {
                self.refused.push(content);
                self.codes.push(code);
            }
            Outcome::Unknown(code) => {
                self.unknown.push(content);
                self.codes.push(code);
            }
            Outcome::No(status, word) => panic!("a post was answered {status} {word}"),
        }
        self
    }

    /// Takes the next message and acknowledges it.
    async fn work(mut self, agent: &Agent, channel: &str) -> Self {
        let taken = match Outcome::of(agent.claim_next(channel, json!({ "lease_seconds": 600 }))).await {
            Outcome::Done(taken) if !taken["claimed"].is_null() => taken,
            Outcome::Done(_) => return self,
            Outcome::Refused(code) | Outcome::Unknown(code) => {
                self.codes.push(code);
                return self;
            }
            Outcome::No(status, word) => panic!("a claim was answered {status} {word}"),
        };
        assert_eq!(taken["attempt"], 1, "leases are long, so nobody gets what another has: {taken}");
        let id = taken["claimed"]["id"].as_str().expect("a message has an id").to_owned();
        self.note(&id);
        match Outcome::of(agent.ack(&id)).await {
            Outcome::Done(_) => self.acked.push(id),
            Outcome::No(status, word) => panic!("the ack of what was claimed was answered {status} {word}"),
            Outcome::Refused(_) | Outcome::Unknown(_) => {
                self.held.push((id, taken["lease_token"].as_str().expect("a leased claim has a token").to_owned()));
            }
        }
        self
    }

    fn note(&mut self, what: &str) {
        self.when.entry(what.to_owned()).or_insert_with(Timestamp::now);
    }

    pub fn add(&mut self, other: Self) {
        self.posted.extend(other.posted);
        self.refused.extend(other.refused);
        self.unknown.extend(other.unknown);
        self.held.extend(other.held);
        self.acked.extend(other.acked);
        for (what, when) in other.when {
            let first = self.when.entry(what).or_insert(when);
            *first = when.min(*first);
        }
        self.codes.extend(other.codes);
    }

    /// After the fault: every post that was answered 201 is there once, none that was refused, no other more than once;
    /// what was acked stays done, and what was claimed is still its claimer's.
    pub async fn check(&self, agent: &Agent, channel: &str) {
        let there = everything(agent, channel).await;
        let mut times: HashMap<&str, usize> = HashMap::new();
        for message in &there {
            *times.entry(message["content"].as_str().expect("a message has content")).or_default() += 1;
        }
        let count = |content: &String| times.get(content.as_str()).copied().unwrap_or(0);
        for content in &self.posted {
            assert_eq!(count(content), 1, "answered 201: {content}");
        }
        for content in &self.refused {
            assert_eq!(count(content), 0, "answered that nothing was changed: {content}");
        }
        for content in &self.unknown {
            assert!(count(content) <= 1, "posted once, there {} times: {content}", count(content));
        }
        let state = |id: &String| there.iter().find(|message| message["id"] == **id).map(|message| &message["state"]);
        for id in &self.acked {
            assert_eq!(state(id), Some(&json!("done")), "answered acknowledged: {id}");
        }
        for (id, token) in &self.held {
            let ack = || agent.post(&format!("/v1/messages/{id}/ack"), json!({ "lease_token": token }));
            answered(ack).await.ok(200);
        }
    }
}

/// All messages of a channel.
pub async fn everything(agent: &Agent, channel: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = answered(|| agent.list(channel, &format!("limit=100&cursor={cursor}"))).await.ok(200);
        let data = page["data"].as_array().expect("a page has data");
        if data.is_empty() {
            return all;
        }
        all.extend(data.iter().cloned());
        cursor = page["next_cursor"].as_str().expect("a page with data goes on").to_owned();
    }
}

/// How often this content is in a channel.
pub async fn times(agent: &Agent, channel: &str, content: &str) -> usize {
    everything(agent, channel).await.iter().filter(|message| message["content"] == content).count()
}

/// Posters and workers that go on until they are stopped, whatever they are answered.
pub struct Traffic {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Ledger>>,
}

impl Traffic {
    pub fn start(agent: &Agent, channel: &str, posters: usize, workers: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let task = |posts: bool| {
            let (over, agent, channel) = (over.clone(), agent.clone(), channel.to_owned());
            tokio::spawn(async move {
                let mut ledger = Ledger::default();
                while !over.load(SeqCst) {
                    ledger = if posts { ledger.post(&agent, &channel).await } else { ledger.work(&agent, &channel).await };
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                ledger
            })
        };
        let tasks = (0..posters + workers).map(|number| task(number < posters)).collect();
        Self { over, tasks }
    }

    /// All that they were answered. Fails the test if one of them got no answer or a wrong one.
    pub async fn stop(self) -> Ledger {
        self.over.store(true, SeqCst);
        let mut all = Ledger::default();
        for task in join_all(self.tasks).await {
            all.add(task.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        all
    }
}

/// Waiters on every replica, in a channel that has nothing yet: half of them list, half of them claim.
pub struct Waiters {
    agent: Agent,
    channel: String,
    tasks: Vec<JoinHandle<Outcome>>,
}

impl Waiters {
    /// Returns when all of them wait.
    pub async fn start(fleet: &Fleet, agent: &Agent, seconds: u32) -> Self {
        Self::start_beside(fleet, agent, seconds, 0).await
    }

    /// The same where that many wait on each replica already.
    pub async fn start_beside(fleet: &Fleet, agent: &Agent, seconds: u32, others: u32) -> Self {
        let channel = agent.channel("claimable").await;
        Self::start_in(fleet, agent, &channel, seconds, others).await
    }

    /// The same in this channel, which has nothing yet.
    pub async fn start_in(fleet: &Fleet, agent: &Agent, channel: &str, seconds: u32, others: u32) -> Self {
        let channel = channel.to_owned();
        let mut tasks = Vec::new();
        let patience = Duration::from_secs(seconds.into()) + HANG;
        for replica in 0..fleet.size() {
            let (list, claim) = (agent.on(replica), agent.on(replica));
            let (here, there) = (channel.clone(), channel.clone());
            tasks.push(tokio::spawn(async move { answer(list.list(&here, &format!("wait={seconds}")).within(patience)).await }));
            tasks.push(tokio::spawn(async move {
                answer(claim.claim_next(&there, json!({ "wait": seconds, "lease_seconds": 600 })).within(patience)).await
            }));
        }
        for replica in 0..fleet.size() {
            eventually("both wait", WHOLE_AGAIN, || async move {
                fleet.metric(replica, "backchannel_waiters").await == Some(f64::from(others + 2))
            })
            .await;
        }
        eventually("Redis knows of them", WHOLE_AGAIN, || async { fleet.subscribers(&channel) == fleet.size() }).await;
        Self { agent: agent.clone(), channel, tasks }
    }

    /// A message for each claimer, after which all must have been answered with one, long before they would look again
    /// by themselves.
    pub async fn are_woken(self) {
        let (outcomes, took) = self.after_a_post().await;
        for outcome in outcomes {
            let Outcome::Done(body) = &outcome else { panic!("a waiter was answered {outcome:?}") };
            assert!(has_something(body), "not woken: {body}");
        }
        assert!(took < WOKEN, "not woken, but looked again by themselves: answered {took:?} after the post");
    }

    /// The same, where some may have been told of the fault.
    pub async fn are_answered(self) {
        for outcome in self.after_a_post().await.0 {
            let well = matches!(&outcome, Outcome::Done(body) if has_something(body)) || outcome.is_503();
            assert!(well, "a waiter was answered {outcome:?}");
        }
    }

    /// What they were answered, and how long after the last post.
    async fn after_a_post(self) -> (Vec<Outcome>, Duration) {
        for _ in 0..self.tasks.len() / 2 {
            let once = unique();
            answered(|| self.agent.post_to(&self.channel, json!({ "content": "wake up" })).once(&once)).await.ok(201);
        }
        let posted = Instant::now();
        (self.answers().await, posted.elapsed())
    }

    pub async fn answers(self) -> Vec<Outcome> {
        join_all(self.tasks).await.into_iter().map(|task| task.expect("a waiter is answered")).collect()
    }
}

fn has_something(body: &Value) -> bool {
    body["data"].as_array().is_some_and(|data| !data.is_empty()) || body["claimed"].is_object()
}

/// [`Outcome::of`] for those who wait longer.
async fn answer(ask: Ask) -> Outcome {
    let reply = ask.attempt().await.unwrap_or_else(|error| panic!("a waiter was not answered: {error:?}"));
    if reply.status < 400 {
        return Outcome::Done(reply.body);
    }
    let (status, word) = (reply.status, reply.body["error"].as_str().unwrap_or_default().to_owned());
    reply.refused(status, &word);
    if status == 503 { Outcome::Refused(word) } else { Outcome::No(status, word) }
}

/// Waits until every replica serves again. Then those who waited through the fault must have been answered or woken, and
/// new ones must be woken.
pub async fn whole_again(fleet: &Fleet, agent: &Agent, waiters: Option<Waiters>) {
    serves_again(fleet, agent).await;
    if let Some(waiters) = waiters {
        waiters.are_answered().await;
    }
    Waiters::start(fleet, agent, 25).await.are_woken().await;
}

/// Several requests in a row, on every replica, waiting included.
async fn serves_again(fleet: &Fleet, agent: &Agent) {
    let name = &format!("pulse-{}", unique());
    for replica in 0..fleet.size() {
        let here = &agent.on(replica);
        let what = format!("replica {replica} serves again");
        eventually(&what, WHOLE_AGAIN, || async move { pulse(fleet, replica, here, name).await.is_some() }).await;
    }
}

/// `None`: something was refused.
async fn pulse(fleet: &Fleet, replica: usize, agent: &Agent, name: &str) -> Option<()> {
    let ready = fleet.client_on(replica).get("/readyz").within(HANG).await;
    let made = Outcome::of(agent.post("/v1/channels", json!({ "mode": "claimable", "name": name }))).await.done()?;
    let channel = made["id"].as_str().expect("a channel has an id");
    let mut cursor = String::new();
    for _ in 0..5 {
        let posted = Outcome::of(agent.post_to(channel, json!({ "content": "pulse" }))).await.done()?;
        cursor = posted["next_cursor"].as_str().expect("a post says where to read on").to_owned();
        Outcome::of(agent.claim_next(channel, json!({}))).await.done()?;
    }
    Outcome::of(agent.list(channel, &format!("wait=0.1&cursor={cursor}"))).await.done()?;
    (ready.status == 200).then_some(())
}

/// 2,000 requests at a replica that cannot reach its Redis: none is done, each is answered, and the memory is given back or
/// was never taken.
pub async fn burst(fleet: &Fleet, agent: &Agent, channel: &str) -> Ledger {
    let ledger = Ledger::posts(&agent.on(0), channel, 2_000).await;
    assert!(ledger.posted.is_empty(), "{} posts were answered 201 by a Redis that was away", ledger.posted.len());
    let memory = fleet.metric(0, "process_resident_memory_bytes").await.expect("/metrics has the memory of the process");
    assert!(memory < MOST_MEMORY, "{memory} bytes after 2,000 refused requests");
    ledger
}
