//! The yardstick: what a service costs that does nothing but what none can do without. JSON in, one script on one multiplexed
//! connection, JSON out; a request held open by a bare server, until a time or until another server's script publishes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use deadpool_redis::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use deadpool_redis::redis::{Client, Cmd, RedisError, cmd};
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, oneshot};

/// Does nothing: what is left is the way to Redis and back.
pub const NOTHING: &str = "return 1";
/// Does nothing either, for so many steps, and touches no memory.
const COUNT: &str = "local x = 0
for i = 1, ARGV[1] do x = x + i % 7 end
return 1";
/// The two writes that a post to a claimable channel cannot do without.
pub const BARE_POST: &str = "redis.call('XADD', KEYS[1], '*', 'h', ARGV[1], 'c', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[3])
return 1";
/// In front of it: whoever waits is told.
const TELL: &str = "redis.call('PUBLISH', ARGV[4], ARGV[2])\n";
/// As long as the head of a message, which says who posted it.
const HEAD: &str = "bck_abcdefghijklmnopqrstuvwxyz.actor_abcdefghijklmnopqrstuvwxyz.load-0";

#[derive(Clone)]
struct Shared {
    redis: MultiplexedConnection,
    scripts: Arc<Scripts>,
    waiting: Arc<Waiting>,
}

struct Scripts {
    nothing: String,
    count: String,
    bare_post: String,
    told_post: String,
    number: AtomicU64,
}

/// Requests that wait for a message, by topic.
struct Waiting {
    subscriber: AsyncMutex<PubSubSink>,
    requests: Mutex<HashMap<String, Vec<oneshot::Sender<Bytes>>>>,
}

/// Serves `POST /one` (`return 1`), `POST /count/{steps}` (a loop), `POST /bare` (XADD + ZADD), `POST /tell/{topic}` (these and PUBLISH),
/// `GET /wait/{topic}` (until then) and `GET /hold?seconds=` until it is killed.
///
/// # Errors
/// When it cannot listen or reach Redis.
pub async fn serve(redis: &str, port: u16) -> Result<()> {
    crate::proc::open_files();
    let client = Client::open(redis)?;
    let mut connection = client.get_multiplexed_async_connection().await.context("connecting to Redis")?;
    let (subscriber, heard) = client.get_async_pubsub().await?.split();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let scripts = Scripts {
        nothing: load(&mut connection, NOTHING).await?,
        count: load(&mut connection, COUNT).await?,
        bare_post: load(&mut connection, BARE_POST).await?,
        told_post: load(&mut connection, &format!("{TELL}{BARE_POST}")).await?,
        number: AtomicU64::new(u64::try_from(now.as_micros()).unwrap_or(0)),
    };
    let waiting = Arc::new(Waiting { subscriber: AsyncMutex::new(subscriber), requests: Mutex::default() });
    tokio::spawn(wake(heard, waiting.clone()));
    let shared = Shared { redis: connection, scripts: Arc::new(scripts), waiting };
    let router = Router::new().route("/one", post(one)).route("/bare", post(bare)).route("/hold", get(hold));
    let router =
        router.route("/count/{steps}", post(count)).route("/tell/{topic}", post(tell)).route("/wait/{topic}", get(wait)).with_state(shared);
    let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("listening on port {port}"))?;
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, router).await.context("serving")
}

async fn load(connection: &mut MultiplexedConnection, script: &str) -> Result<String, RedisError> {
    cmd("SCRIPT").arg("LOAD").arg(script).query_async(connection).await
}

async fn one(State(shared): State<Shared>, body: Bytes) -> Response {
    let mut command = cmd("EVALSHA");
    command.arg(&shared.scripts.nothing).arg(0);
    answer(shared, &command, &body).await
}

async fn count(State(shared): State<Shared>, Path(steps): Path<u64>, body: Bytes) -> Response {
    let mut command = cmd("EVALSHA");
    command.arg(&shared.scripts.count).arg(0).arg(steps);
    answer(shared, &command, &body).await
}

async fn bare(State(shared): State<Shared>, body: Bytes) -> Response {
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let command = writes(&shared.scripts, &shared.scripts.bare_post, &parsed);
    answer(shared, &command, b"{}").await
}

async fn tell(State(shared): State<Shared>, Path(topic): Path<String>, body: Bytes) -> Response {
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let mut command = writes(&shared.scripts, &shared.scripts.told_post, &parsed);
    command.arg(topic);
    answer(shared, &command, b"{}").await
}

fn writes(scripts: &Scripts, script: &str, body: &Value) -> Cmd {
    let mut command = cmd("EVALSHA");
    command.arg(script).arg(2).arg("bare:{x}:log").arg("bare:{x}:open");
    command.arg(HEAD).arg(body["content"].as_str().unwrap_or_default()).arg(scripts.number.fetch_add(1, Relaxed));
    command
}

async fn answer(mut shared: Shared, command: &Cmd, body: &[u8]) -> Response {
    if serde_json::from_slice::<Value>(body).is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    match command.query_async::<i64>(&mut shared.redis).await {
        Ok(one) => ([(CONTENT_TYPE, "application/json")], json!({ "ok": one }).to_string()).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The first to wait subscribes; the topic stays subscribed.
async fn wait(State(shared): State<Shared>, Path(topic): Path<String>) -> Response {
    let (told, message) = oneshot::channel();
    let is_new = {
        let mut requests = shared.waiting.requests.lock();
        let known = requests.contains_key(&topic);
        requests.entry(topic.clone()).or_default().push(told);
        !known
    };
    if is_new && shared.waiting.subscriber.lock().await.subscribe(&topic).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match message.await {
        Ok(message) => {
            ([(CONTENT_TYPE, "application/json")], json!({ "content": String::from_utf8_lossy(&message) }).to_string()).into_response()
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn wake(mut heard: PubSubStream, waiting: Arc<Waiting>) {
    while let Some(message) = heard.next().await {
        let text = Bytes::copy_from_slice(message.get_payload_bytes());
        let told = waiting.requests.lock().get_mut(message.get_channel_name()).map(std::mem::take).unwrap_or_default();
        for request in told {
            request.send(text.clone()).ok(); // whoever asked may have gone
        }
    }
}

async fn hold(uri: Uri) -> Response {
    let seconds = uri.query().and_then(|q| q.strip_prefix("seconds=")).and_then(|s| s.parse().ok()).unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    ([(CONTENT_TYPE, "application/json")], "{\"ok\":1}").into_response()
}
