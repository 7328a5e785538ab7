//! Those who read and wait while replicas are replaced. A request that is not answered, or not well, fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::rooms::{Room, entries};
use crate::support::client::{Agent, Client};

const FOLLOWERS: usize = 4;
/// Channels where nothing happens until the end.
const QUIET: usize = 20;
/// Readers that wait in each of them; beside them one who wants to claim.
const READERS: usize = 4;
const TALKERS: usize = 2;
const LISTENERS: usize = 2;

/// A flag that ends what runs, and what it comes to.
struct Running<T> {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<T>>,
}

impl<T> Running<T> {
    async fn end(self) -> Vec<T> {
        self.over.store(true, SeqCst);
        let ended = join_all(self.tasks).await;
        ended.into_iter().map(|task| task.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))).collect()
    }
}

/// Readers of the busy channel, each by its cursor.
pub struct Followers(Running<Vec<Value>>);

impl Followers {
    pub fn start(agent: &Agent, channel: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let follow = |_| {
            let (agent, channel, over) = (agent.clone(), channel.to_owned(), over.clone());
            tokio::spawn(async move {
                let (mut seen, mut cursor) = (Vec::new(), String::new());
                loop {
                    let was_over = over.load(SeqCst);
                    let page = agent.list(&channel, &format!("limit=100&wait=1&cursor={cursor}")).await.ok(200);
                    let data = page["data"].as_array().expect("a page");
                    if let Some(next) = page["next_cursor"].as_str() {
                        next.clone_into(&mut cursor);
                    }
                    if data.is_empty() && was_over {
                        return seen;
                    }
                    seen.extend(data.iter().map(|message| message["id"].clone()));
                }
            })
        };
        let tasks = (0..FOLLOWERS).map(follow).collect();
        Self(Running { over, tasks })
    }

    /// Each saw each message once, in order.
    pub async fn saw(self, there: &[Value]) {
        let ids: Vec<Value> = there.iter().map(|message| message["id"].clone()).collect();
        for seen in self.0.end().await {
            assert_eq!(seen, ids, "a reader that follows its cursor");
        }
    }
}

/// Many who wait, in channels where nothing happens.
pub struct Idle {
    channels: Vec<String>,
    /// What each waited for in the end, and how often it was sent away before.
    running: Running<(Value, usize)>,
}

impl Idle {
    pub async fn start(agent: &Agent) -> Self {
        let channels = join_all((0..QUIET).map(|_| agent.channel("claimable"))).await;
        let wait = |number: usize| {
            let (agent, channel) = (agent.clone(), channels[number % QUIET].clone());
            tokio::spawn(async move {
                let mut empty = 0;
                loop {
                    let found = if number < QUIET { claimed(&agent, &channel).await } else { listed(&agent, &channel).await };
                    if found.is_string() {
                        return (found, empty);
                    }
                    empty += 1;
                }
            })
        };
        let tasks = (0..QUIET * (1 + READERS)).map(wait).collect();
        Self { channels, running: Running { over: Arc::default(), tasks } }
    }

    /// All waited longer than their replicas were there, so each got an empty page and asked again, and was then heard of.
    pub async fn were_sent_away_and_came_back(self, agent: &Agent) {
        let mut posted = Vec::new();
        for channel in &self.channels {
            posted.push(Value::from(agent.post_message(channel, "at last").await));
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), self.running.end()).await.expect("who waits is woken");
        for (number, (found, empty)) in ended.into_iter().enumerate() {
            assert_eq!(found, posted[number % QUIET], "waiter {number}");
            assert!(empty > 0, "waiter {number} was not sent away by a replica that left");
        }
    }
}

/// The id of what was claimed, else null.
async fn claimed(agent: &Agent, channel: &str) -> Value {
    let answer = agent.claim_next(channel, json!({ "wait": 25, "lease_seconds": 600 })).await.ok(200);
    assert!(answer["claimed"].is_null() || answer["attempt"] == 1, "{answer}");
    answer["claimed"]["id"].clone()
}

/// The id of the one message that there is, else null.
async fn listed(agent: &Agent, channel: &str) -> Value {
    let page = agent.list(channel, "wait=25").await.ok(200);
    assert!(page["data"].as_array().expect("a page").len() < 2, "{page}");
    page["data"][0]["id"].clone()
}

/// A room in which some talk and some listen.
pub struct Talk {
    talking: Running<usize>,
    listening: Vec<JoinHandle<Vec<(u64, String, String)>>>,
}

impl Talk {
    pub async fn start(client: &Client) -> Self {
        let room = Room::make(client).await;
        let mut participants = Vec::new();
        for number in 0..TALKERS + LISTENERS {
            participants.push(room.joined(&format!("agent-{number}")).await);
        }
        let over = Arc::new(AtomicBool::new(false));
        let (talkers, listeners) = participants.split_at(TALKERS);
        let tasks = talkers.iter().map(|participant| tokio::spawn(talk(room.clone(), participant.clone(), over.clone()))).collect();
        let listening = listeners.iter().map(|participant| tokio::spawn(listen(room.clone(), participant.clone()))).collect();
        Self { talking: Running { over, tasks }, listening }
    }

    /// All heard the same: every index once, in order, and as many texts as were sent.
    pub async fn was_whole(self) {
        let sent: usize = self.talking.end().await.into_iter().sum();
        let heard = tokio::time::timeout(Duration::from_secs(20), join_all(self.listening)).await.expect("who listens hears of the end");
        for log in heard {
            let log = log.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let indexes: Vec<u64> = log.iter().map(|(index, ..)| *index).collect();
            assert_eq!(indexes, (0..log.len() as u64).collect::<Vec<_>>(), "without gap or repeat");
            assert_eq!(log.iter().filter(|(_, kind, _)| kind == "message").count(), sent, "every text once");
        }
    }
}

/// How many texts were sent until it was over.
async fn talk(room: Room, participant: String, over: Arc<AtomicBool>) -> usize {
    let mut sent = 0;
    while !over.load(SeqCst) {
        room.send(&participant, "sealed").await.ok(200);
        sent += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    room.leave(&participant).await.ok(200);
    sent
}

/// All that was there until every talker had left.
async fn listen(room: Room, participant: String) -> Vec<(u64, String, String)> {
    let (mut log, mut cursor) = (Vec::new(), 0);
    while log.iter().filter(|(_, kind, _)| kind == "leave").count() < TALKERS {
        let reply = room.poll(&participant, cursor).await;
        if reply.status == 204 {
            continue; // sent away by a replica that leaves
        }
        let page = reply.ok(200);
        cursor = page["cursor"].as_u64().expect("a cursor");
        log.extend(entries(&page));
    }
    log
}
