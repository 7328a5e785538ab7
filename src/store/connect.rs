//! Connections to Redis: to one server, to the primary that sentinels name, or to a cluster; and how a command goes over each.

use std::time::Duration;

use deadpool_redis::redis::aio::{ConnectionLike, MultiplexedConnection};
use deadpool_redis::redis::cluster::ClusterClient;
use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::cluster_routing::SingleNodeRoutingInfo;
use deadpool_redis::redis::{Arg, AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::sleep;

use super::primary::{Named, find_primary};
use super::replication::history_in;
use super::reply::text_of;
use super::target::{Endpoint, Kind, RedisTarget, tcp_settings};

/// Longest time to make a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(1000);

/// A live connection, shared by many commands.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// An answer, and the history of writes that the server was in.
type Noted = (Value, Option<String>);

/// Where a call of a script has its first key: EVALSHA, hash, number of keys, key.
const FIRST_KEY: usize = 3;

/// What is asked beside a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noting {
    Nothing,
    History,
}

impl Connection {
    /// Sends one command once.
    pub async fn send(self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::One(mut c) => match c.send_packed_command(command).await? {
                // Only the answer itself: no command that is sent here answers errors within a list, and to look for them makes each list anew.
                Value::ServerError(refusal) => Err(refusal.into()),
                answer => Ok(answer),
            },
            // Boxed: it is large, and every request would carry room for it through all of its layers.
            Self::Cluster(c) => Box::pin(send_to_cluster(c, command, Noting::Nothing)).await.map(|(answer, _)| answer),
        }
    }

    /// Sends one command once, and learns which history of writes it became part of: asked behind it, on the same connection.
    pub async fn send_noting(self, command: &Cmd) -> Result<Noted, RedisError> {
        match self {
            Self::One(mut c) => send_pair(&mut c, command).await,
            Self::Cluster(c) => Box::pin(send_to_cluster(c, command, Noting::History)).await,
        }
    }
}

/// A command, and behind it the question which history the server writes.
async fn send_pair(connection: &mut impl ConnectionLike, command: &Cmd) -> Result<Noted, RedisError> {
    let mut pair = Pipeline::with_capacity(2);
    pair.add_command(command.clone()).add_command(history_question());
    noted(connection.req_packed_commands(&pair, 0, 2).await?)
}

fn history_question() -> Cmd {
    let mut question = Cmd::new();
    question.arg("INFO").arg("replication");
    question
}

/// The answers to a command and to the question behind it.
fn noted(answers: Vec<Value>) -> Result<Noted, RedisError> {
    let mut answers = answers.into_iter().map(Value::extract_error);
    let answer = answers.next().unwrap_or(Ok(Value::Nil))?;
    let history = answers.next().and_then(Result::ok).and_then(|info| history_in(&text_of(&info)?));
    Ok((answer, history))
}

/// Repeats only on replies that prove that nothing ran; the client's own retries are off. A MOVED makes the client read the map of slots again.
async fn send_to_cluster(mut connection: ClusterConnection, command: &Cmd, noting: Noting) -> Result<Noted, RedisError> {
    let mut pause = Duration::from_millis(20);
    for _ in 0..6 {
        match send_to_owner(&mut connection, command, noting).await {
            Err(e) if proves_non_execution(&e) => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(300));
            }
            answer => return answer,
        }
    }
    send_to_owner(&mut connection, command, noting).await
}

/// Once to the node that has the slot, and where it points to another with ASK (the slot is being moved), once there.
async fn send_to_owner(connection: &mut ClusterConnection, command: &Cmd, noting: Noting) -> Result<Noted, RedisError> {
    let answer = match noting {
        Noting::Nothing => send_plain(connection, command).await,
        Noting::History => match send_pair(connection, command).await {
            Err(e) if matches!(e.kind(), ErrorKind::Server(ServerErrorKind::Moved)) => {
                // The client learns the owner from the answer to a single command, not from one in a pair: from this one, which does nothing.
                if let Some(Arg::Simple(key)) = command.args_iter().nth(FIRST_KEY) {
                    let _ = send_plain(connection, deadpool_redis::redis::cmd("EXISTS").arg(key)).await;
                }
                Err(e)
            }
            answer => answer,
        },
    };
    let Err(refusal) = &answer else { return answer };
    if !matches!(refusal.kind(), ErrorKind::Server(ServerErrorKind::Ask)) {
        return answer;
    }
    let next = refusal.redirect_node().and_then(|(address, _)| address.rsplit_once(':')).and_then(|(h, p)| Some((h, p.parse().ok()?)));
    let Some((host, port)) = next else { return answer };
    let there = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
    let mut commands = Pipeline::with_capacity(3);
    commands.cmd("ASKING").add_command(command.clone());
    if noting == Noting::History {
        commands.add_command(history_question());
    }
    let count = commands.len();
    let mut answers = connection.route_pipeline(commands, 0, count, there).await?;
    noted(answers.split_off(1))
}

async fn send_plain(connection: &mut ClusterConnection, command: &Cmd) -> Result<Noted, RedisError> {
    connection.req_packed_command(command).await.and_then(Value::extract_error).map(|answer| (answer, None))
}

pub(super) fn proves_non_execution(e: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, TryAgain};
    matches!(
        e.kind(),
        ErrorKind::Server(Moved | Ask | TryAgain | ClusterDown | BusyLoading | MasterDown) | ErrorKind::ClusterConnectionNotFound
    )
}

/// Makes connections; a sentinel is asked for the primary each time.
pub(super) enum Connector {
    Standalone(Box<(Client, AsyncConnectionConfig)>),
    Sentinel(Box<(RedisTarget, AsyncConnectionConfig)>),
    Cluster(Box<ClusterClient>),
}

impl Connector {
    pub fn new(target: &RedisTarget, command_timeout: Duration) -> anyhow::Result<Self> {
        // The lane has a timer for each command; one more within would only cost.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        Ok(match target.kind() {
            Kind::Standalone(endpoint) => Self::Standalone(Box::new((client_of(endpoint, target)?, config))),
            Kind::Sentinel { .. } => Self::Sentinel(Box::new((target.clone(), config))),
            Kind::Cluster(entries) => {
                let infos = entries.iter().map(Endpoint::connection_info).collect::<Result<Vec<_>, _>>()?;
                let mut builder = ClusterClient::builder(infos)
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(command_timeout)
                    .tcp_settings(tcp_settings())
                    .retries(0);
                if let Some(certificates) = target.certificates() {
                    builder = builder.certs(certificates);
                }
                Self::Cluster(Box::new(builder.build()?))
            }
        })
    }

    /// A connection and, behind sentinels, to which server that they named.
    pub async fn connect(&self) -> Result<(Connection, Option<Named>), RedisError> {
        match self {
            Self::Standalone(one) => {
                let connection = one.0.get_multiplexed_async_connection_with_config(&one.1).await?;
                Ok((Connection::One(connection), None))
            }
            Self::Sentinel(sentinel) => {
                let primary = find_primary(&sentinel.0).await?;
                let connection = primary.connect(&sentinel.1).await?;
                Ok((Connection::One(connection), Some(primary.named)))
            }
            Self::Cluster(client) => client.get_async_connection().await.map(|c| (Connection::Cluster(c), None)),
        }
    }
}

/// The way to one server of a target.
pub(super) fn client_of(server: &Endpoint, target: &RedisTarget) -> Result<Client, RedisError> {
    let info = server.connection_info()?;
    match target.certificates() {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}
