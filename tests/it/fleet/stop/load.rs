//! Load on a replica that leaves: posts, claims and acks, each on a connection of its own, since a kept one may be closed by either
//! side at any time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

/// A replica that leaves hears for a tenth of a second (LAST_CALL in src/serving) what connections have to say on which nothing was asked yet. Who
/// took longer than this to ask, because its process had to wait for its turn, may be sent away unheard.
const SILENT: Duration = Duration::from_millis(50);

/// What was answered so far.
#[derive(Default)]
pub struct Answered {
    pub posts: AtomicUsize,
    pub claims: AtomicUsize,
    pub acks: AtomicUsize,
}

/// Posters and workers at one replica that never pause.
pub struct Load {
    pub answered: Arc<Answered>,
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<bool>>,
}

impl Load {
    /// They go on until no connection is accepted any more. A request that was accepted and not answered fails the test.
    pub fn start(fleet: &Fleet, replica: usize, agent: &Agent, channel: &str, posters: usize, workers: usize) -> Self {
        let (answered, over) = (Arc::new(Answered::default()), Arc::new(AtomicBool::new(false)));
        let (address, reset) = (fleet.url(replica).trim_start_matches("http://").to_owned(), Arc::new(AtomicUsize::new(0)));
        let task = |posts: bool| {
            let line = Line { address: address.clone(), agent: agent.clone(), channel: channel.to_owned(), reset: reset.clone() };
            let (answered, over) = (answered.clone(), over.clone());
            tokio::spawn(async move {
                let mut open = true;
                while open && !over.load(SeqCst) {
                    open = if posts { line.post(&answered).await } else { line.work(&answered).await };
                }
                open
            })
        };
        let tasks = (0..posters + workers).map(|number| task(number < posters)).collect();
        Self { answered, over, tasks }
    }

    /// Returns how many of them found the door closed.
    pub async fn stop(self) -> usize {
        self.over.store(true, SeqCst);
        self.ended().await
    }

    /// The same where the door is closed to all of them, so that they end by themselves: whoever has still to read its last answer knocks again.
    pub async fn ended(self) -> usize {
        let open = join_all(self.tasks).await.into_iter().map(|task| task.expect("every accepted request was answered"));
        open.filter(|open| !open).count()
    }
}

struct Line {
    address: String,
    agent: Agent,
    channel: String,
    /// How many connections of the whole load were reset before they were answered.
    reset: Arc<AtomicUsize>,
}

impl Line {
    /// False: the door is closed.
    async fn post(&self, answered: &Answered) -> bool {
        let path = format!("/v1/channels/{}/messages", self.channel);
        let open = self.ask(&path, json!({ "content": "under load" }), 201).await.is_some();
        answered.posts.fetch_add(usize::from(open), SeqCst);
        open
    }

    /// Takes the next message and acknowledges it: elsewhere, when the door was closed in between.
    async fn work(&self, answered: &Answered) -> bool {
        let Some(got) = self.ask("/v1/tasks/claim", json!({ "channel": self.channel, "lease_seconds": 600 }), 200).await else {
            return false;
        };
        let Some(id) = got["claimed"]["id"].as_str() else { return true };
        assert_eq!(got["attempt"], 1, "nobody took what another holds: {got}");
        answered.claims.fetch_add(1, SeqCst);
        let (path, body) = (format!("/v1/messages/{id}/ack"), json!({ "lease_token": got["lease_token"] }));
        let acked = self.ask(&path, body.clone(), 200).await;
        let open = acked.is_some();
        let acked = if let Some(acked) = acked { acked } else { self.agent.post(&path, body).await.ok(200) };
        assert_eq!(acked["status"], "acknowledged");
        answered.acks.fetch_add(1, SeqCst);
        open
    }

    /// None: no connection, or one that nobody was to answer: this process had not asked anything in time, or the kernel completed it between the
    /// replica's last look for new ones and the closing of its door. Two of these in one load would be a door that is closed before that look.
    async fn ask(&self, path: &str, body: Value, status: u16) -> Option<Value> {
        let began = Instant::now();
        let mut tcp = TcpStream::connect(&self.address).await.ok()?;
        let body = body.to_string();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nConnection: close\r\n", self.agent.key);
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let mut answer = String::new();
        let sent = tcp.write_all(request.as_bytes()).await;
        let late = began.elapsed() > SILENT;
        let exchanged: io::Result<usize> = match sent {
            Ok(()) => tcp.read_to_string(&mut answer).await,
            Err(error) => Err(error),
        };
        let unheard = answer.is_empty() && (late || exchanged.is_err() && self.reset.fetch_add(1, SeqCst) == 0);
        if unheard {
            return None;
        }
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "an accepted request was not answered well: POST {path}: {exchanged:?} {answer}");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head ends");
        Some(serde_json::from_str(body).expect("the whole body came"))
    }
}
