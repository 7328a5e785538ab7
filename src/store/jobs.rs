//! Waiting for jobs: a connection of its own, because a command that waits holds up whatever comes behind it.
//!
//! The connection is given up after any trouble: a read that was cut off may still be live on the server, and would swallow the job that comes
//! next. What it had swallowed stands among this reader's own pending jobs, which a new connection reads first.

use std::time::Duration;

use deadpool_redis::redis::{Cmd, RedisError, Value, cmd};
use tokio::sync::watch;
use tokio::time::timeout;

use super::connect::{CONNECT_TIMEOUT, Connection, Connector};
use super::primary::{Named, Word};
use super::redis::Redis;
use super::reply::text_of;
use super::target::RedisTarget;

/// How much longer than the wait itself the answer may take.
const MARGIN: Duration = Duration::from_millis(1500);

/// One entry of a stream of jobs: its id, and the job, or a bundle of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub jobs: String,
}

impl Entry {
    /// Reads `[id, ["j", jobs]]`. None for what is not ours, or was deleted after it was read first.
    pub fn parse(value: &Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let [id, Value::Array(fields)] = parts.as_slice() else { return None };
        Some(Self { id: text_of(id)?, jobs: text_of(fields.get(1)?)? })
    }
}

/// Why a read ended without jobs.
#[derive(Debug)]
pub enum Trouble {
    /// The stream has no group: it is new, or somebody deleted it.
    NoGroup,
    /// Anything else, for the log. The next read connects anew.
    Broken(String),
}

/// Reads one stream as one member of the group `workers`.
pub struct JobReader {
    connector: Connector,
    stream: String,
    name: String,
    connection: Option<(Connection, Option<Named>)>,
    word: Word,
    /// How far its own pending jobs were read on this connection; none: all of them.
    pending_from: Option<String>,
}

impl JobReader {
    /// `name` is this worker's: no other process may have it.
    ///
    /// # Errors
    /// When the target cannot be turned into client settings.
    pub fn new(target: &RedisTarget, redis: &Redis, stream: String, name: String, wait: Duration) -> anyhow::Result<Self> {
        let connector = Connector::new(target, wait + MARGIN)?;
        Ok(Self { connector, stream, name, connection: None, word: redis.word().clone(), pending_from: None })
    }

    /// At most `count` entries: first those that were given to this reader before and are not settled, then new ones, for which it waits.
    ///
    /// # Errors
    /// See [`Trouble`]. May be dropped only when the reader is dropped with it.
    pub async fn read(&mut self, count: usize, wait: Duration) -> Result<Vec<Entry>, Trouble> {
        let connection = match &self.connection {
            Some((connection, named)) if !self.is_replaced(named.as_ref()) => connection.clone(),
            _ => self.connect().await?,
        };
        if let Some(from) = self.pending_from.clone() {
            let entries = self.ask(connection.clone(), &from, count, None).await?;
            self.pending_from = entries.last().map(|(id, _)| id.clone());
            if self.pending_from.is_some() {
                return Ok(jobs(entries));
            }
        }
        self.ask(connection, ">", count, Some(wait)).await.map(jobs)
    }

    /// Whether sentinels name another primary than the one that is read from. That one still answers, and has no new jobs any more.
    fn is_replaced(&self, used: Option<&Named>) -> bool {
        let now = self.word.as_ref().map(watch::Receiver::borrow);
        now.as_deref().and_then(Option::as_ref).zip(used).is_some_and(|(now, used)| now.follows(used))
    }

    async fn connect(&mut self) -> Result<Connection, Trouble> {
        self.connection = None;
        let (connection, named) = match timeout(CONNECT_TIMEOUT * 2, self.connector.connect()).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(e)) => return Err(Trouble::Broken(e.to_string())),
            Err(_) => return Err(Trouble::Broken("connecting took too long".into())),
        };
        self.connection = Some((connection.clone(), named));
        self.pending_from = Some("0".into());
        Ok(connection)
    }

    async fn ask(
        &mut self,
        connection: Connection,
        from: &str,
        count: usize,
        wait: Option<Duration>,
    ) -> Result<Vec<(String, Option<Entry>)>, Trouble> {
        let command = self.command(from, count, wait);
        let answer = match timeout(wait.unwrap_or_default() + MARGIN, connection.send(&command)).await {
            Ok(answer) => answer,
            Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
        };
        match answer {
            Ok(value) => Ok(entries(value)),
            Err(e) if e.code() == Some("NOGROUP") => Err(Trouble::NoGroup),
            Err(e) => {
                self.connection = None;
                Err(Trouble::Broken(e.to_string()))
            }
        }
    }

    fn command(&self, from: &str, count: usize, wait: Option<Duration>) -> Cmd {
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg("workers").arg(&self.name).arg("COUNT").arg(count);
        if let Some(wait) = wait {
            command.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(1000).max(1));
        }
        command.arg("STREAMS").arg(&self.stream).arg(from);
        command
    }
}

fn jobs(entries: Vec<(String, Option<Entry>)>) -> Vec<Entry> {
    entries.into_iter().filter_map(|(_, entry)| entry).collect()
}

/// Entries of the one stream that was asked for. A pending job whose entry is gone has an id and nothing else.
fn entries(value: Value) -> Vec<(String, Option<Entry>)> {
    let of_stream = match value {
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut pair)) => pair.pop(),
            _ => None,
        },
        Value::Map(mut streams) => streams.pop().map(|(_, entries)| entries),
        _ => None,
    };
    let Some(Value::Array(list)) = of_stream else { return Vec::new() };
    let id = |value: &Value| match value {
        Value::Array(parts) => parts.first().and_then(text_of),
        _ => None,
    };
    list.iter().filter_map(|value| Some((id(value)?, Entry::parse(value)))).collect()
}
