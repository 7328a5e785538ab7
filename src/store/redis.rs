//! The command connections: a few multiplexed ones shared by all requests of the replica.
//!
//! What the client must not do behind our back is decided here: nothing is sent twice unless the caller said it may be, nothing waits
//! longer than the command timeout, and a lost connection is replaced for ever, with jitter (docs/architecture.md, "Redis trouble").

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use deadpool_redis::redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::clock::RedisClock;
use super::connect::{CONNECT_TIMEOUT, Connection, Connector, proves_non_execution};
use super::keyspace::Slot;
use super::measure::RedisMetrics;
use super::primary::{Word, replaced, watch_primary};
use super::replication::{Confirmations, Terms};
use super::reply::Reply;
use super::target::RedisTarget;
use crate::error::{ApiError, Code};

/// Commands of one replica that may wait for Redis at once; beyond it requests are shed with `overloaded`.
const MAX_IN_FLIGHT: usize = 20_000;
const RECONNECT_FIRST: Duration = Duration::from_millis(50);
const RECONNECT_LONGEST: Duration = Duration::from_millis(1000);
/// Timeouts in a row after which a connection is taken for dead: few, so that a replica with little to do finds out within seconds too.
const TIMEOUTS_BEFORE_RECONNECT: usize = 3;

/// The replica's way to Redis. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    lanes: Vec<Arc<Lane>>,
    turn: AtomicUsize,
    in_flight: AtomicUsize,
    timeout: Duration,
    clock: RedisClock,
    /// None: what the primary answered is enough.
    confirmations: Option<Arc<Confirmations>>,
    metrics: RedisMetrics,
    closed: CancellationToken,
    word: Word,
    _asking: Option<AbortOnDropHandle<()>>,
}

/// How a command failed, told apart by what is known of its effect.
#[derive(Debug)]
pub enum Failure {
    /// It did not run; the reason as a code for the caller.
    NotExecuted(Code, String),
    /// It may have run: the connection broke or the time was up before the answer.
    Unknown(String),
    /// Redis does not have the script (restart, failover, SCRIPT FLUSH).
    NoScript,
    /// A fault in a script or a wrong use of Redis: ours.
    Fault(String),
}

impl Failure {
    /// A word for metrics and traces.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotExecuted(Code::StorageFull, _) => "full",
            Self::NotExecuted(Code::Overloaded, _) => "overloaded",
            Self::NotExecuted(..) => "unavailable",
            Self::Unknown(_) => "unknown",
            Self::NoScript => "no_script",
            Self::Fault(_) => "fault",
        }
    }

    /// What the caller is told. An unknown outcome of something that the client may simply repeat is plain unavailability.
    pub fn into_api_error(self, client_may_repeat: bool) -> ApiError {
        match self {
            Self::NotExecuted(code, cause) => ApiError::new(code).cause(cause),
            Self::Unknown(cause) if client_may_repeat => ApiError::new(Code::StorageUnavailable)
                .because("The store did not answer in time. Sending the same request again does it once, not twice.")
                .cause(cause),
            Self::Unknown(cause) => ApiError::new(Code::OutcomeUnknown).cause(cause),
            Self::NoScript => ApiError::new(Code::StorageUnavailable).cause("Redis forgot a script that was just sent"),
            Self::Fault(cause) => ApiError::internal(cause),
        }
    }
}

/// One connection and the task that replaces it when it breaks.
struct Lane {
    current: ArcSwapOption<Connection>,
    broken: Notify,
    timeouts: AtomicUsize,
}

impl Redis {
    /// Starts `connections` lanes; they connect in the background, so a replica starts while Redis is away. `terms`: what replicas must
    /// confirm before a write counts; None: nothing.
    ///
    /// # Errors
    /// When the target cannot be turned into client settings.
    pub fn start(
        target: &RedisTarget,
        connections: usize,
        command_timeout: Duration,
        terms: Option<Terms>,
        metrics: RedisMetrics,
    ) -> anyhow::Result<Self> {
        let closed = CancellationToken::new();
        let connector = Arc::new(Connector::new(target, command_timeout)?);
        let confirmations = terms.map(|terms| Confirmations::new(target, terms, metrics.confirmations.clone())).transpose()?.map(Arc::new);
        let (word, asking) = watch_primary(target).unzip();
        let lanes = (0..connections.max(1))
            .map(|_| {
                let lane = Arc::new(Lane { current: ArcSwapOption::empty(), broken: Notify::new(), timeouts: AtomicUsize::new(0) });
                tokio::spawn(closed.clone().run_until_cancelled_owned(keep_connected(
                    lane.clone(),
                    connector.clone(),
                    word.clone(),
                    metrics.clone(),
                )));
                lane
            })
            .collect();
        Ok(Self(Arc::new(Inner {
            lanes,
            turn: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            timeout: command_timeout,
            clock: RedisClock::default(),
            confirmations,
            metrics,
            closed,
            word,
            _asking: asking,
        })))
    }

    /// Redis' time as seen so far.
    pub fn clock(&self) -> &RedisClock {
        &self.0.clock
    }

    /// What sentinels say of the primary.
    pub(super) fn word(&self) -> &Word {
        &self.0.word
    }

    /// Longest time one command may take.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Ends the reconnecting tasks and drops the connections.
    pub fn close(&self) {
        self.0.closed.cancel();
        for lane in &self.0.lanes {
            lane.current.store(None);
        }
    }

    /// Commands that wait for an answer now.
    pub fn running(&self) -> usize {
        self.0.in_flight.load(Relaxed)
    }

    /// Sends one command once.
    pub async fn send(&self, command: &Cmd) -> Result<Value, Failure> {
        self.exchange(|connection| connection.send(command)).await
    }

    /// Sends one command once; with the history of writes it became part of, where replicas are to confirm it.
    pub(super) async fn send_noting(&self, command: &Cmd) -> Result<(Value, Option<String>), Failure> {
        match &self.0.confirmations {
            None => Ok((self.send(command).await?, None)),
            // Boxed: it is off for most, and their requests would carry room for it.
            Some(_) => Box::pin(self.exchange(|connection| connection.send_noting(command))).await,
        }
    }

    /// Waits until as many replicas as the operator asks for have what this answer tells of.
    ///
    /// # Errors
    /// `not_replicated` when they have not confirmed in time: it was done, and a failover may undo it.
    pub async fn confirm(&self, slot: &Slot, reply: &Reply) -> Result<(), ApiError> {
        match &self.0.confirmations {
            None => Ok(()),
            Some(confirmations) => Box::pin(confirmations.confirm(&slot.mark(), reply.history())).await,
        }
    }

    async fn exchange<T, F>(&self, send: impl FnOnce(Connection) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let _held = self.enter().inspect_err(|failure| self.0.metrics.failed(failure))?;
        let (lane, connection) = match self.live() {
            Some(live) => live,
            // Boxed: it is seldom, and every request would carry room for it.
            None => Box::pin(self.connection()).await.inspect_err(|failure| self.0.metrics.failed(failure))?,
        };
        let answer = match timeout(self.0.timeout, send(Connection::clone(&connection))).await {
            Ok(answer) => answer,
            Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
        };
        let judged = answer.inspect(|_| lane.timeouts.store(0, Relaxed)).map_err(|e| lane.judge(&connection, &e));
        judged.inspect_err(|failure| self.0.metrics.failed(failure))
    }

    /// Whether Redis answers, and how long that took.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<Duration, Failure> {
        let began = Instant::now();
        self.send(&deadpool_redis::redis::cmd("PING")).await?;
        Ok(began.elapsed())
    }

    /// The eviction policy, where the server tells it.
    ///
    /// # Errors
    /// When Redis cannot be asked.
    pub async fn eviction_policy(&self) -> Result<Option<String>, Failure> {
        let nodes = self.memory_of_nodes().await?;
        Ok(nodes.first().and_then(|node| field(node, "maxmemory_policy")).map(str::to_owned))
    }

    /// Memory of each node in bytes: used, and allowed; 0 if that is not limited.
    ///
    /// # Errors
    /// When Redis cannot be asked.
    pub async fn memory(&self) -> Result<Vec<(u64, u64)>, Failure> {
        let number = |node: &str, name| field(node, name).and_then(|n| n.parse().ok()).unwrap_or(0);
        Ok(self.memory_of_nodes().await?.iter().map(|node| (number(node, "used_memory"), number(node, "maxmemory"))).collect())
    }

    /// A cluster answers for each node.
    async fn memory_of_nodes(&self) -> Result<Vec<String>, Failure> {
        let mut command = deadpool_redis::redis::cmd("INFO");
        command.arg("memory");
        let nodes = match self.send(&command).await? {
            Value::Map(nodes) => nodes.into_iter().map(|(_, info)| info).collect(),
            one => vec![one],
        };
        Ok(nodes.into_iter().map(|info| deadpool_redis::redis::from_redis_value(info).unwrap_or_default()).collect())
    }

    /// Publishes a hint on a sharded topic.
    ///
    /// # Errors
    /// When it cannot be known that it was published.
    pub async fn shard_publish(&self, topic: &str, payload: &str) -> Result<(), Failure> {
        let mut command = deadpool_redis::redis::cmd("SPUBLISH");
        command.arg(topic).arg(payload);
        self.send(&command).await.map(|_| ())
    }

    fn enter(&self) -> Result<InFlight<'_>, Failure> {
        let held = InFlight(&self.0.in_flight);
        if self.0.in_flight.fetch_add(1, Relaxed) >= MAX_IN_FLIGHT {
            return Err(Failure::NotExecuted(Code::Overloaded, format!("{MAX_IN_FLIGHT} commands wait for Redis")));
        }
        Ok(held)
    }

    /// A live connection: any lane's, round-robin.
    fn live(&self) -> Option<(&Lane, Arc<Connection>)> {
        let lanes = &self.0.lanes;
        let first = self.0.turn.fetch_add(1, Relaxed);
        (0..lanes.len()).find_map(|offset| {
            let lane = &lanes[first.wrapping_add(offset) % lanes.len()];
            Some((&**lane, lane.current.load_full()?))
        })
    }

    /// The same; when none is up, a short wait for one that is being made.
    async fn connection(&self) -> Result<(&Lane, Arc<Connection>), Failure> {
        let deadline = Instant::now() + self.0.timeout.min(Duration::from_millis(250));
        loop {
            if let Some(live) = self.live() {
                return Ok(live);
            }
            if Instant::now() >= deadline {
                return Err(Failure::NotExecuted(Code::StorageUnavailable, "no connection to Redis".into()));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A field of what INFO answers.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Lane {
    /// What a failed command means for its caller, and whether the connection is to be replaced.
    fn judge(&self, used: &Arc<Connection>, e: &RedisError) -> Failure {
        let text = e.to_string();
        if e.is_timeout() {
            // A frozen server keeps its connection (TCP_USER_TIMEOUT finds dead peers), until too many answers are missing.
            if self.timeouts.fetch_add(1, Relaxed) + 1 >= TIMEOUTS_BEFORE_RECONNECT {
                self.replace(used);
            }
            return Failure::Unknown(text);
        }
        match e.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Failure::NoScript,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                self.replace(used); // a primary that became a replica: ask again who the primary is
                Failure::NotExecuted(Code::StorageUnavailable, text)
            }
            _ if proves_non_execution(e) => Failure::NotExecuted(Code::StorageUnavailable, text),
            _ => match e.code() {
                Some("OOM") => Failure::NotExecuted(Code::StorageFull, text),
                Some("BUSY" | "NOREPLICAS" | "MISCONF" | "MASTERDOWN" | "UNKILLABLE" | "NOAUTH" | "WRONGPASS" | "NOPERM") => {
                    Failure::NotExecuted(Code::StorageUnavailable, text)
                }
                Some(_) if !matches!(e.kind(), ErrorKind::Io) => judge_script_error(text),
                _ => {
                    self.replace(used);
                    Failure::Unknown(text)
                }
            },
        }
    }

    /// Only the connection that failed: when many commands fail with it, the later ones find a new one in its place.
    fn replace(&self, used: &Arc<Connection>) {
        let before = self.current.compare_and_swap(used, None);
        if before.as_ref().is_some_and(|c| Arc::ptr_eq(c, used)) {
            self.timeouts.store(0, Relaxed);
            self.broken.notify_one();
        }
    }
}

/// Inside a script, Redis wraps its own refusals into ERR; the first word after it tells them from faults of the script.
fn judge_script_error(text: String) -> Failure {
    const REFUSALS: &[(&str, Code)] = &[
        ("OOM command not allowed", Code::StorageFull),
        ("max number of clients", Code::StorageUnavailable),
        ("READONLY", Code::StorageUnavailable),
        ("MISCONF", Code::StorageUnavailable),
        ("NOREPLICAS", Code::StorageUnavailable),
    ];
    match REFUSALS.iter().find(|(words, _)| text.contains(words)) {
        Some((_, code)) => Failure::NotExecuted(*code, text),
        None => Failure::Fault(text),
    }
}

/// Connects a lane, waits until it breaks or leads to a server that is not the primary any more, connects it again; for ever.
async fn keep_connected(lane: Arc<Lane>, connector: Arc<Connector>, mut word: Word, metrics: RedisMetrics) {
    let mut pause = RECONNECT_FIRST;
    loop {
        match timeout(CONNECT_TIMEOUT * 2, connector.connect()).await {
            Ok(Ok((connection, named))) => {
                pause = RECONNECT_FIRST;
                lane.current.store(Some(Arc::new(connection)));
                metrics.connections.inc();
                tokio::select! {
                    () = lane.broken.notified() => tracing::warn!("a Redis connection broke; connecting again"),
                    () = replaced(word.as_mut(), named.as_ref()) => {
                        lane.current.store(None);
                        tracing::warn!("sentinels name another primary; connecting there");
                    }
                }
                metrics.connections.dec();
                metrics.reconnects.inc();
            }
            Ok(Err(e)) => tracing::warn!(cause = %e, "Redis cannot be reached"),
            Err(_) => tracing::warn!("connecting to Redis took too long"),
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(RECONNECT_LONGEST);
    }
}
