//! Receivers of webhooks: one that only counts, a process of its own; and many that note when what they wait for comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where deliveries go.
pub const PATH: &str = "/hook";

/// How many requests came.
#[derive(Debug, Deserialize, Serialize)]
pub struct Counted {
    pub count: u64,
}

/// Serves `POST /hook` (200, empty) and `GET /count` until it is killed.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(port: u16) -> Result<()> {
    crate::proc::open_files();
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let router = Router::new()
        .route(PATH, post(move |_: Bytes| async move { _ = count.fetch_add(1, Relaxed) }))
        .route("/count", get(move || async move { serde_json::json!(Counted { count: counted.load(Relaxed) }).to_string() }));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("listening on port {port}"))?;
    axum::serve(listener.tap_io(|stream| _ = stream.set_nodelay(true)), router).await.context("serving")
}

/// One target of many, within this process: notes when each content came first.
#[derive(Clone, Default)]
pub struct Target(Arc<Inner>);

#[derive(Default)]
struct Inner {
    hangs: watch::Sender<bool>,
    held: AtomicU64,
    came: Mutex<HashMap<String, Instant>>,
}

#[derive(Deserialize)]
struct Delivery {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

impl Target {
    /// Listens on a free port of loopback, for as long as the runtime lives; its URL.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn listen(&self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a free port")?;
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let router = Router::new().route(PATH, post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// From now on it takes requests and answers none.
    pub fn hang(&self) {
        self.0.hangs.send_replace(true);
    }

    /// It answers again, also what it had left without an answer.
    pub fn recover(&self) {
        self.0.hangs.send_replace(false);
    }

    /// Requests that it has left without an answer, ever.
    pub fn held(&self) -> u64 {
        self.0.held.load(Relaxed)
    }

    /// When this content came.
    pub fn came(&self, content: &str) -> Option<Instant> {
        self.0.came.lock().unwrap_or_else(PoisonError::into_inner).get(content).copied()
    }
}

async fn take(State(target): State<Target>, body: Bytes) {
    let now = Instant::now();
    if *target.0.hangs.borrow() {
        target.0.held.fetch_add(1, Relaxed);
        let _ = target.0.hangs.subscribe().wait_for(|hangs| !hangs).await; // it ends with the target only
    }
    if let Ok(delivery) = serde_json::from_slice::<Delivery>(&body) {
        target.0.came.lock().unwrap_or_else(PoisonError::into_inner).entry(delivery.message.content).or_insert(now);
    }
}
