//! One address in front of several replicas: each connection goes to the next one, as behind a load balancer without affinity.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::fleet::Fleet;

/// How long a replica that refused a connection gets no other: somebody who tries six times must not meet it each time.
const LEFT_ALONE: Duration = Duration::from_secs(3);

/// Ends when it is dropped.
pub struct Balancer {
    url: String,
    connections: Arc<AtomicUsize>,
    trouble: Arc<Mutex<Trouble>>,
    task: JoinHandle<()>,
}

/// What it does in place of passing on.
#[derive(Default)]
struct Trouble {
    /// Each connection gets these bytes for its first request; none at all if they are empty.
    answer: Option<Vec<u8>>,
    /// When it did so.
    at: Vec<Instant>,
}

impl Balancer {
    /// In front of all replicas of the fleet.
    pub async fn start(fleet: &Fleet) -> Self {
        let replicas: Vec<String> = (0..fleet.size()).map(|replica| fleet.url(replica).replace("http://", "")).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        let in_trouble = trouble.clone();
        let refused = Arc::new(Mutex::new(vec![None::<Instant>; fleet.size()]));
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if let Some(answer) = in_trouble.lock().expect("nobody panics with it").answer() {
                    tokio::spawn(async move {
                        let read = client.read(&mut [0; 65_536]).await;
                        if read.is_ok_and(|bytes| bytes > 0) {
                            let _ = client.write_all(&answer).await; // it may hang up
                        }
                    });
                    continue;
                }
                let turn = counted.fetch_add(1, Ordering::SeqCst);
                let replica = {
                    let refused = refused.lock().expect("nobody panics with it");
                    let in_turn = (0..replicas.len()).map(|offset| (turn + offset) % replicas.len());
                    let is_left_alone = |replica: &usize| refused[*replica].is_some_and(|at| at.elapsed() < LEFT_ALONE);
                    in_turn.clone().find(|replica| !is_left_alone(replica)).unwrap_or(turn % replicas.len())
                };
                let (address, refused) = (replicas[replica].clone(), refused.clone());
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(address).await else {
                        refused.lock().expect("nobody panics with it")[replica] = Some(Instant::now());
                        return;
                    };
                    let _ = copy_bidirectional(&mut client, &mut server).await; // either may hang up
                });
            }
        });
        Self { url, connections, trouble, task }
    }

    /// `http://127.0.0.1:<port>`: the one URL that clients know.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on answers in place of the replicas; with nothing at all it hangs up.
    pub fn answer_instead(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer = if status.is_empty() {
            Vec::new()
        } else {
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
        };
        *self.trouble.lock().expect("nobody panics with it") = Trouble { answer: Some(answer), at: Vec::new() };
    }

    /// Passes on again.
    pub fn pass_on(&self) {
        self.trouble.lock().expect("nobody panics with it").answer = None;
    }

    /// When it answered in place of the replicas, in the last trouble.
    pub fn answered_at(&self) -> Vec<Instant> {
        self.trouble.lock().expect("nobody panics with it").at.clone()
    }

    /// How many connections it has passed on.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Trouble {
    fn answer(&mut self) -> Option<Vec<u8>> {
        let answer = self.answer.clone()?;
        self.at.push(Instant::now());
        Some(answer)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
