//! What webhooks are pushed to: HTTP receivers on loopback that answer as a test says, and remember what came.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wait::eventually;

/// How a receiver answers.
#[derive(Clone, Debug)]
pub enum Says {
    Status(u16),
    /// A status with one more header.
    With(u16, &'static str, &'static str),
    /// 200, after so long.
    After(Duration),
    /// Nothing; the connection stays open.
    Hangs,
    /// The connection is closed without an answer.
    Closes,
    /// The beginning of an answer, then the connection is reset.
    Resets(&'static str),
}

/// One request that came.
#[derive(Clone, Debug)]
pub struct Got {
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub text: String,
    pub at: Instant,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers))
    }

    /// The delivery's id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn content(&self) -> String {
        self.json()["message"]["content"].as_str().unwrap_or_default().to_owned()
    }
}

/// A listener and what it got.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    says: Mutex<Says>,
    got: Mutex<Vec<Got>>,
    accepted: AtomicUsize,
    /// Requests that are there and not answered.
    open: AtomicUsize,
}

impl Receiver {
    /// Answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (says, got) = (Mutex::new(Says::Status(200)), Mutex::default());
        let state = Arc::new(State { says, got, accepted: AtomicUsize::new(0), open: AtomicUsize::new(0) });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn says(&self, says: Says) {
        *lock(&self.state.says) = says;
    }

    /// All requests so far.
    pub fn got(&self) -> Vec<Got> {
        lock(&self.state.got).clone()
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// How often each content came.
    pub fn contents(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for got in self.got() {
            *all.entry(got.content()).or_default() += 1;
        }
        all
    }

    /// Waits for so many requests.
    pub async fn gets(&self, count: usize, limit: Duration) -> Vec<Got> {
        let what = format!("{count} requests at the receiver");
        eventually(&what, limit, || async { self.got().len() >= count }).await;
        self.got()
    }

    /// Waits until each of these contents has come.
    pub async fn gets_all(&self, contents: &[String], limit: Duration) {
        let what = format!("{} contents at the receiver", contents.len());
        eventually(&what, limit, || async {
            let got = self.contents();
            contents.iter().all(|content| got.contains_key(content))
        })
        .await;
    }

    /// Waits until a request is there and not answered.
    pub async fn holds_one(&self) {
        eventually("an unanswered request", Duration::from_secs(30), || async { self.state.open.load(Ordering::SeqCst) > 0 }).await;
    }

    /// Waits until all that came is answered.
    pub async fn holds_none(&self) {
        eventually("all is answered", Duration::from_secs(30), || async { self.state.open.load(Ordering::SeqCst) == 0 }).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    while let Some(got) = read(&mut stream).await {
        lock(&state.got).push(got);
        state.open.fetch_add(1, Ordering::SeqCst);
        let says = lock(&state.says).clone();
        let answer = match says {
            Says::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"),
            Says::With(status, name, value) => format!("HTTP/1.1 {status} X\r\n{name}: {value}\r\ncontent-length: 0\r\n\r\n"),
            Says::After(delay) => {
                tokio::time::sleep(delay).await;
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            Says::Hangs => {
                let mut rest = [0u8; 64];
                let _ = stream.read(&mut rest).await; // until the other side has had enough
                state.open.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            Says::Closes => String::new(),
            Says::Resets(beginning) => {
                let _ = stream.write_all(beginning.as_bytes()).await;
                tokio::time::sleep(Duration::from_millis(100)).await; // it has arrived
                let _ = stream.set_zero_linger();
                String::new()
            }
        };
        state.open.fetch_sub(1, Ordering::SeqCst);
        if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One request; none when the connection has ended.
async fn read(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    let headers: HashMap<String, String> =
        head.lines().skip(1).filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8(bytes[head_end + 4..head_end + 4 + length].to_vec()).expect("a body is UTF-8");
    Some(Got { headers, text, at: Instant::now() })
}
