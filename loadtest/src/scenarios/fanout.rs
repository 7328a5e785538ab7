//! Many idle readers on one channel, then one post: memory of a waiter, time until all are answered, reads of Redis.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::stream::{self, StreamExt};
use tokio::task::JoinSet;

use crate::api::{self, Target};
use crate::http::{Answer, Ask, Connection};
use crate::proc::{self, Watched};
use crate::redis::{Calls, Redis, since};
use crate::stats::{Latencies, ms};

/// How long the readers wait at most; a server may grant less, and opening them must be quicker than that.
const WAIT_S: u64 = 50;
/// Connections that are opened at the same time: no listen queue overflows.
const OPENING: usize = 64;
/// After the last request was sent: the server has read, found nothing, and holds them all.
const SETTLE: Duration = Duration::from_secs(2);

/// Requests that a server holds.
pub struct Held {
    answers: JoinSet<(Instant, Answer)>,
    pub count: usize,
    /// Resident memory of the server that each of them takes, its connection included.
    pub bytes_each: f64,
}

/// What one post to many readers cost.
#[derive(Clone, Debug)]
pub struct Fanout {
    pub waiters: usize,
    pub bytes_each: f64,
    /// From the sending of the post to each reader's answer.
    pub answered: Latencies,
    /// Readers that were not answered with the message.
    pub missed: usize,
    /// What Redis ran between the post and the last answer; none without a Redis to ask.
    pub redis: Option<BTreeMap<String, Calls>>,
}

/// Opens these connections, sends the request of each, and measures what that adds to the server's memory.
///
/// # Errors
/// When a connection cannot be opened, or there may not be that many open files.
pub async fn hold(readers: Vec<(Connection, Ask)>, server: &Watched) -> Result<Held> {
    let count = readers.len();
    let files = proc::open_files();
    if files < count as u64 + 64 {
        bail!("{count} connections need more open files than the {files} allowed here (ulimit -n)");
    }
    let before = server.usage()?.resident;
    let mut answers = JoinSet::new();
    let mut opening = stream::iter(readers).map(open).buffer_unordered(OPENING);
    while let Some(reader) = opening.next().await {
        let (mut connection, ask) = reader.context("opening an idle connection")?;
        answers.spawn(async move {
            let answer = connection.send(ask).await;
            (Instant::now(), answer)
        });
    }
    tokio::time::sleep(SETTLE).await;
    let after = server.usage()?.resident;
    Ok(Held { answers, count, bytes_each: after.saturating_sub(before) as f64 / count.max(1) as f64 })
}

async fn open((mut connection, ask): (Connection, Ask)) -> Result<(Connection, Ask)> {
    connection.open().await?;
    Ok((connection, ask))
}

/// `waiters` readers on the last replica, a post to the first. `server` is the replica that holds them: freshly started, or its memory
/// hides what they take. With `redis`, counts what it is asked meanwhile; nothing else must use it then.
///
/// # Errors
/// When nothing can be measured.
pub async fn fanout(target: &Target, waiters: usize, server: &Watched, redis: Option<&mut Redis>) -> Result<Fanout> {
    let [channel, other] = [target.channel("broadcast").await?, target.channel("broadcast").await?];
    let last = &target.urls[target.urls.len() - 1];
    let ask = api::list(&channel, "0", 10, WAIT_S);
    let readers = (0..waiters).map(|i| Ok((Connection::new(last, Some(target.key(i)))?, ask.clone()))).collect::<Result<_>>()?;
    let mut poster = Connection::new(&target.urls[0], Some(target.key(0)))?;
    poster.open().await?;
    let held = hold(readers, server).await?;
    // The script is loaded and the poster's key is known: what Redis runs next is for the wake-up alone.
    poster.send(api::post(&other)).await.context("a post before the one that wakes")?;
    wake_all(held, poster, &channel, redis).await
}

async fn wake_all(mut held: Held, mut poster: Connection, channel: &str, mut redis: Option<&mut Redis>) -> Result<Fanout> {
    let early = held.answered(); // at once: the server holds no more, or for a shorter time than opening took
    let before = match redis.as_mut() {
        Some(redis) => Some(redis.command_stats().await?),
        None => None,
    };
    let sent = Instant::now();
    poster.send(api::post(channel)).await.context("the post that wakes")?;
    let mut answered = Latencies::default();
    let mut missed = early;
    while let Some(ended) = held.answers.join_next().await {
        match ended {
            Ok((at, Ok(page))) if !page.starts_with(b"{\"data\":[]") => answered.record(at.saturating_duration_since(sent)),
            _ => missed += 1,
        }
    }
    let redis = match (redis, before) {
        (Some(redis), Some(before)) => Some(since(&before, &redis.command_stats().await?)),
        _ => None,
    };
    Ok(Fanout { waiters: held.count, bytes_each: held.bytes_each, answered, missed, redis })
}

impl Held {
    /// How many were answered already: they are not held.
    pub fn answered(&mut self) -> usize {
        std::iter::from_fn(|| self.answers.try_join_next()).count()
    }
}

impl Fanout {
    /// How often Redis ran this command between the post and the last answer.
    pub fn calls(&self, command: &str) -> Option<u64> {
        self.redis.as_ref().map(|all| all.get(command).map_or(0, |c| c.calls))
    }

    /// `evalsha 2, hmget 2, …`: the post, its own commands included, and what was read.
    pub fn commands(&self) -> String {
        let calls = self.redis.iter().flatten().filter(|(name, _)| *name != "info");
        calls.map(|(name, c)| format!("{name} {}", c.calls)).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "fanout: {} waiters, {:.1} KiB of the replica's memory each", self.waiters, self.bytes_each / 1024.0)?;
        let (p50, max) = (self.answered.quantile(0.5), self.answered.max());
        writeln!(f, "  one post answered {}: half of them after {} ms, all after {} ms", self.answered.count(), ms(p50), ms(max))?;
        if self.missed > 0 {
            writeln!(f, "  error not woken: {}", self.missed)?;
        }
        if self.redis.is_some() {
            writeln!(f, "  Redis ran meanwhile: {}", self.commands())?;
        }
        Ok(())
    }
}
