//! Whether replicas have what was written, where the operator asks for it (`BACKCHANNEL_DURABILITY=replicated`).
//!
//! A write that was answered enters the group of its primary. A task, one a primary, takes all that have gathered, writes a mark and
//! waits (`WAIT`) on that same connection until replicas have the mark: replication is one ordered stream, so they have the writes too.
//! Meanwhile the next group gathers.
//!
//! A confirmation counts only within one *history* (`master_replid`): a server gets another one with each promotion and restart. Every
//! write learns which one it became part of, by asking behind it on the same connection; a mark in another history says nothing of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Pipeline, RedisError, Value};
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::measure::ConfirmationMetrics;
use super::nodes::Nodes;
use super::redis::field;
use super::reply::{Reply, text_of};
use super::scripts::REPLICATION_MARK;
use super::target::RedisTarget;
use crate::error::{ApiError, Code, Result};

/// How many writes one mark may stand for.
const MOST_IN_A_GROUP: usize = 10_000;
/// Between two looks for the primary.
const PAUSE: Duration = Duration::from_millis(50);
/// What the answer to WAIT may take beyond its own limit.
const SLACK: Duration = Duration::from_millis(500);

/// How many replicas must confirm, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub replicas: usize,
    pub timeout: Duration,
}

/// The confirmers of this process.
pub(super) struct Confirmations {
    terms: Terms,
    nodes: Nodes,
    /// The script that writes a mark.
    mark: &'static str,
    /// By history.
    standing: Mutex<HashMap<String, Standing>>,
    /// When the primaries were last looked for.
    looked: AsyncMutex<Option<Instant>>,
    metrics: ConfirmationMetrics,
}

/// A primary that can be asked.
struct Standing {
    address: String,
    group: mpsc::UnboundedSender<Waiting>,
}

/// A write that waits for replicas.
struct Waiting {
    /// The key to mark: it lies in the slot of the write.
    mark: String,
    /// Whether enough replicas have it. Dropped: it is not known.
    told: oneshot::Sender<bool>,
}

impl Confirmations {
    /// # Errors
    /// When the script does not fit its header.
    pub fn new(target: &RedisTarget, terms: Terms, metrics: ConfirmationMetrics) -> anyhow::Result<Self> {
        let mark = REPLICATION_MARK.parsed().map_err(|e| anyhow::anyhow!("{}", e.log_cause().unwrap_or("a script does not fit")))?.text();
        let nodes = Nodes::new(target, None);
        Ok(Self { terms, nodes, mark, standing: Mutex::default(), looked: AsyncMutex::new(None), metrics })
    }

    /// Waits until enough replicas have what was written in this history before.
    ///
    /// # Errors
    /// `not_replicated` when they have not within the time, or when it cannot be known.
    pub async fn confirm(self: &Arc<Self>, mark: &str, history: Option<&str>) -> Result<()> {
        let Some(history) = history else { return Err(self.refused("the write does not know its history")) };
        let began = Instant::now();
        match timeout(self.terms.timeout, self.until_told(mark, history)).await {
            Ok(true) => {
                self.metrics.confirmed(began.elapsed());
                Ok(())
            }
            Ok(false) => Err(self.refused("too few replicas confirmed")),
            Err(_) => Err(self.refused("no confirmation in time")),
        }
    }

    fn refused(&self, cause: &str) -> ApiError {
        self.metrics.refused();
        ApiError::new(Code::NotReplicated).with("replicas", self.terms.replicas).cause(cause)
    }

    /// A connection that broke says nothing, so the primary is asked again for as long as the caller waits. After a failover its history
    /// is not found any more.
    async fn until_told(self: &Arc<Self>, mark: &str, history: &str) -> bool {
        loop {
            let asked = Instant::now();
            let group = self.standing.lock().get(history).map(|standing| standing.group.clone());
            if let Some(group) = group {
                let (told, answer) = oneshot::channel();
                if group.send(Waiting { mark: mark.to_owned(), told }).is_ok()
                    && let Ok(enough) = answer.await
                {
                    return enough;
                }
                sleep(PAUSE).await;
            }
            // In a task of its own: a caller that gives up must not end what others wait for too.
            let this = self.clone();
            let _ = tokio::spawn(async move { this.look(asked).await }).await;
            if !self.standing.lock().contains_key(history) {
                sleep(PAUSE).await;
            }
        }
    }

    /// Looks for the primaries, once for all who ask at the same time.
    async fn look(&self, asked: Instant) {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at >= asked) {
            return;
        }
        *looked = Some(Instant::now());
        let primaries = match self.nodes.primaries().await {
            Ok(primaries) => primaries,
            Err(e) => return tracing::warn!(cause = %e, "nobody tells which Redis is the primary"),
        };
        let mut standing = HashMap::new();
        for node in primaries {
            let known = async { history_of(node.connection?).await };
            match timeout(self.terms.timeout, known).await {
                Ok(Ok((connection, history))) => _ = standing.insert(history.clone(), self.stand(node.address, connection, history)),
                Ok(Err(e)) => tracing::warn!(cause = %e, "a primary cannot be asked whether replicas confirm"),
                Err(_) => tracing::warn!("a primary does not say which history it writes"),
            }
        }
        *self.standing.lock() = standing; // who is not there any more ends with its group
    }

    /// The confirmer that stands already, or a new one.
    fn stand(&self, address: String, connection: MultiplexedConnection, history: String) -> Standing {
        if let Some(before) = self.standing.lock().get(&history)
            && before.address == address
            && !before.group.is_closed()
        {
            return Standing { address, group: before.group.clone() };
        }
        let (group, inbox) = mpsc::unbounded_channel();
        let is_cluster = self.nodes.are_a_cluster();
        tokio::spawn(Confirmer { connection, history, mark: self.mark, terms: self.terms, is_cluster }.run(inbox));
        Standing { address, group }
    }
}

async fn history_of(mut connection: MultiplexedConnection) -> std::result::Result<(MultiplexedConnection, String), RedisError> {
    let info: String = deadpool_redis::redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
    let history = history_in(&info).unwrap_or_default();
    Ok((connection, history))
}

/// Which history a primary writes, out of what INFO says.
pub(super) fn history_in(info: &str) -> Option<String> {
    field(info, "master_replid").filter(|_| field(info, "role") == Some("master")).map(str::to_owned)
}

/// Asks one primary, over one connection that is used for nothing else.
struct Confirmer {
    connection: MultiplexedConnection,
    history: String,
    mark: &'static str,
    terms: Terms,
    is_cluster: bool,
}

/// What came of a mark.
enum Round {
    /// So many replicas have it.
    Confirmed(usize),
    /// Redis refused the mark, for a reason that lies with its key: its slot is elsewhere.
    Refused(String),
    /// The connection, the role or the history has changed.
    Broken(String),
}

impl Confirmer {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Waiting>) {
        let mut group: Vec<Waiting> = Vec::new();
        while inbox.recv_many(&mut group, MOST_IN_A_GROUP).await > 0 {
            group.retain(|waiting| !waiting.told.is_closed());
            while let Some(first) = group.first() {
                match self.round(&first.mark).await {
                    Round::Confirmed(replicas) => {
                        let enough = replicas >= self.terms.replicas;
                        group.drain(..).for_each(|waiting| _ = waiting.told.send(enough));
                    }
                    Round::Refused(cause) => {
                        tracing::warn!(cause, "Redis refused the write that replicas are to confirm");
                        _ = group.swap_remove(0).told.send(false);
                    }
                    Round::Broken(cause) => return tracing::warn!(cause, "a confirming connection broke"),
                }
            }
        }
    }

    async fn round(&mut self, mark: &str) -> Round {
        let mut commands = Pipeline::with_capacity(3);
        if self.is_cluster {
            commands.cmd("ASKING"); // a slot that is being moved here takes nothing without it
        }
        commands.cmd("EVAL").arg(self.mark).arg(1).arg(mark);
        commands.cmd("WAIT").arg(self.terms.replicas).arg(self.terms.timeout.as_millis().to_string());
        let count = commands.len();
        let answers = match timeout(self.terms.timeout + SLACK, self.connection.send_packed_commands(&commands, 0, count)).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(e)) => return Round::Broken(e.to_string()),
            Err(_) => return Round::Broken("no answer to WAIT".to_owned()),
        };
        let mut answers = answers.into_iter().skip(count - 2).map(Value::extract_error);
        match answers.next().unwrap_or(Ok(Value::Nil)).map(|marked| Reply::decode("replication/mark", "marked", marked)) {
            Ok(Ok(marked)) if marked.text(0).is_ok_and(|history| history == self.history) => {}
            Ok(_) => return Round::Broken("Redis writes another history".to_owned()),
            Err(e) if e.code() == Some("READONLY") => return Round::Broken(e.to_string()),
            Err(e) => return Round::Refused(e.to_string()),
        }
        match answers.next().unwrap_or(Ok(Value::Nil)) {
            Ok(replicas) => Round::Confirmed(text_of(&replicas).and_then(|n| n.parse().ok()).unwrap_or(0)),
            Err(e) => Round::Broken(e.to_string()),
        }
    }
}
