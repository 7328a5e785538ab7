//! What one server says of itself.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{RedisError, cmd};
use tokio::time::Instant;

/// The settings that are looked at. Not `*`: among the others are passwords.
const CONFIG: &[&str] = &[
    "appendfsync",
    "busy-reply-threshold",
    "client-output-buffer-limit",
    "cluster-require-full-coverage",
    "lazyfree-lazy-expire",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "notify-keyspace-events",
    "save",
    "tcp-keepalive",
    "timeout",
];
/// Round trips that are measured.
const PINGS: usize = 9;

/// What a server told, or why it did not.
pub(super) struct Facts {
    pub round_trip: Duration,
    pub info: Result<HashMap<String, String>, String>,
    pub config: Result<HashMap<String, String>, String>,
    /// By how many seconds its clock is ahead of this machine's.
    pub clock_ahead: Option<f64>,
}

impl Facts {
    /// # Errors
    /// When it does not even answer PING.
    pub async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        let mut round_trips = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let began = Instant::now();
            cmd("PING").query_async::<()>(connection).await?;
            round_trips.push(began.elapsed());
        }
        round_trips.sort();
        let info = cmd("INFO").query_async::<String>(connection).await.map_err(|e| refused("INFO", &e));
        let config = cmd("CONFIG").arg("GET").arg(CONFIG).query_async(connection).await.map_err(|e| refused("CONFIG GET", &e));
        Ok(Self {
            round_trip: round_trips[PINGS / 2],
            info: info.map(|text| fields(&text)),
            config,
            clock_ahead: clock_ahead(connection).await,
        })
    }

    /// A field of INFO.
    pub fn info(&self, name: &str) -> Result<&str, &str> {
        let info = self.info.as_ref().map_err(String::as_str)?;
        info.get(name).map(String::as_str).ok_or("INFO does not tell")
    }

    /// A number of INFO.
    pub fn number(&self, name: &str) -> Result<u64, &str> {
        self.info(name)?.parse().map_err(|_| "INFO tells no number")
    }

    /// A setting.
    pub fn config(&self, name: &str) -> Result<&str, &str> {
        let config = self.config.as_ref().map_err(String::as_str)?;
        config.get(name).map(String::as_str).ok_or("this server does not know the setting")
    }
}

/// Redis' own word, in short: the first lines of a refusal may list all that is allowed.
pub(super) fn refused(what: &str, e: &RedisError) -> String {
    format!("{what} is refused ({})", e.code().unwrap_or("no answer"))
}

fn fields(info: &str) -> HashMap<String, String> {
    info.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Against the middle of the round trip.
async fn clock_ahead(connection: &mut MultiplexedConnection) -> Option<f64> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let (seconds, micros): (u64, u32) = cmd("TIME").query_async(connection).await.ok()?;
    let ended = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let theirs = Duration::new(seconds, micros.saturating_mul(1000));
    Some(theirs.as_secs_f64() - f64::midpoint(began.as_secs_f64(), ended.as_secs_f64()))
}
