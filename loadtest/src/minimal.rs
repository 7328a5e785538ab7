//! The yardstick: what a service costs that does nothing but what none can do without. JSON in, one script on one multiplexed
//! connection, JSON out; and a request held open by a bare server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, Cmd, RedisError, cmd};
use http::header::CONTENT_TYPE;
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Does nothing: what is left is the way to Redis and back.
pub const NOTHING: &str = "return 1";
/// The two writes that a post to a claimable channel cannot do without.
pub const BARE_POST: &str = "redis.call('XADD', KEYS[1], '*', 'h', ARGV[1], 'c', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[3])
return 1";
/// As long as the head of a message, which says who posted it.
const HEAD: &str = "bck_abcdefghijklmnopqrstuvwxyz.actor_abcdefghijklmnopqrstuvwxyz.load-0";

#[derive(Clone)]
struct Shared {
    redis: MultiplexedConnection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    nothing: String,
    bare_post: String,
    number: AtomicU64,
}

/// Serves `POST /one` (`return 1`), `POST /bare` (XADD + ZADD) and `GET /hold?seconds=` until it is killed.
///
/// # Errors
/// When it cannot listen or reach Redis.
pub async fn serve(redis: &str, port: u16) -> Result<()> {
    crate::proc::open_files();
    let mut connection = Client::open(redis)?.get_multiplexed_async_connection().await.context("connecting to Redis")?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let scripts = Scripts {
        nothing: load(&mut connection, NOTHING).await?,
        bare_post: load(&mut connection, BARE_POST).await?,
        number: AtomicU64::new(u64::try_from(now.as_micros()).unwrap_or(0)),
    };
    let shared = Shared { redis: connection, scripts: Arc::new(scripts) };
    let router = Router::new().route("/one", post(one)).route("/bare", post(bare)).route("/hold", get(hold)).with_state(shared);
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

async fn bare(State(shared): State<Shared>, body: Bytes) -> Response {
    let Ok(parsed) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let number = shared.scripts.number.fetch_add(1, Relaxed);
    let mut command = cmd("EVALSHA");
    command.arg(&shared.scripts.bare_post).arg(2).arg("bare:{x}:log").arg("bare:{x}:open");
    command.arg(HEAD).arg(parsed["content"].as_str().unwrap_or_default()).arg(number);
    answer(shared, &command, b"{}").await
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

async fn hold(uri: Uri) -> Response {
    let seconds = uri.query().and_then(|q| q.strip_prefix("seconds=")).and_then(|s| s.parse().ok()).unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    ([(CONTENT_TYPE, "application/json")], "{\"ok\":1}").into_response()
}
