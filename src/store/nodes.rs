//! The primaries behind a Redis target, each by a connection of its own: for what must be asked of one server and not of any.

use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, ErrorKind, RedisError, Value, cmd, from_redis_value};

use super::connect::{CONNECT_TIMEOUT, client_of};
use super::primary::find_primary;
use super::target::{Endpoint, Kind, RedisTarget};

/// Slots of a cluster.
pub const SLOTS: usize = 16_384;

/// One primary and the way to it.
pub struct Node {
    /// `host:port`; of a primary that sentinels name, the name.
    pub address: String,
    pub connection: Result<MultiplexedConnection, RedisError>,
}

/// Finds primaries anew each time it is asked.
pub struct Nodes {
    target: RedisTarget,
    config: AsyncConnectionConfig,
}

impl Nodes {
    /// `answer_within`: longest time an answer may take; None: who asks looks at the time.
    pub fn new(target: &RedisTarget, answer_within: Option<Duration>) -> Self {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(answer_within);
        Self { target: target.clone(), config }
    }

    /// All primaries, with connections of their own.
    ///
    /// # Errors
    /// When nobody can be asked which they are.
    pub async fn primaries(&self) -> Result<Vec<Node>, RedisError> {
        Ok(match self.target.kind() {
            Kind::Standalone(endpoint) => vec![self.node(endpoint).await],
            Kind::Sentinel { service, .. } => {
                let connection = async { find_primary(&self.target).await?.connect(&self.config).await };
                vec![Node { address: service.clone(), connection: connection.await }]
            }
            Kind::Cluster(entries) => {
                let (entry, map) = self.map(entries).await?;
                let endpoints: Vec<_> = primaries_of(&map, &entry);
                futures::future::join_all(endpoints.iter().map(|endpoint| self.node(endpoint))).await
            }
        })
    }

    pub fn are_a_cluster(&self) -> bool {
        matches!(self.target.kind(), Kind::Cluster(_))
    }

    /// Which slots of a cluster are served, and by how many servers each range is; None where it is no cluster.
    ///
    /// # Errors
    /// When no entry answers.
    pub async fn coverage(&self) -> Result<Option<Vec<Range>>, RedisError> {
        let Kind::Cluster(entries) = self.target.kind() else { return Ok(None) };
        self.map(entries).await.map(|(_, map)| Some(map))
    }

    /// A connection to each sentinel; none where there are no sentinels.
    pub async fn sentinels(&self) -> Vec<Node> {
        let Kind::Sentinel { sentinels, .. } = self.target.kind() else { return Vec::new() };
        futures::future::join_all(sentinels.iter().map(|sentinel| self.node(sentinel))).await
    }

    async fn node(&self, endpoint: &Endpoint) -> Node {
        Node { address: endpoint.address(), connection: self.connect(endpoint).await }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<MultiplexedConnection, RedisError> {
        client_of(endpoint, &self.target)?.get_multiplexed_async_connection_with_config(&self.config).await
    }

    /// The map of slots, by the first entry that answers.
    async fn map(&self, entries: &[Endpoint]) -> Result<(Endpoint, Vec<Range>), RedisError> {
        let mut refused = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no entry of the cluster was given"));
        for entry in entries {
            let answer = async {
                let mut connection = self.connect(entry).await?;
                cmd("CLUSTER").arg("SLOTS").query_async::<Value>(&mut connection).await
            };
            match answer.await {
                Ok(map) => return Ok((entry.clone(), ranges(map))),
                Err(e) => refused = e,
            }
        }
        Err(refused)
    }
}

/// A range of slots and who serves it, the primary first.
pub struct Range {
    pub first: usize,
    pub last: usize,
    servers: Vec<(String, u16)>,
}

impl Range {
    pub fn replicas(&self) -> usize {
        self.servers.len().saturating_sub(1)
    }
}

fn ranges(map: Value) -> Vec<Range> {
    let Value::Array(map) = map else { return Vec::new() };
    map.into_iter().filter_map(range).collect()
}

fn range(entry: Value) -> Option<Range> {
    let Value::Array(entry) = entry else { return None };
    let mut parts = entry.into_iter();
    let first = from_redis_value(parts.next()?).ok()?;
    let last = from_redis_value(parts.next()?).ok()?;
    let server = |server: Value| {
        let Value::Array(server) = server else { return None };
        let mut parts = server.into_iter();
        let host: Option<String> = from_redis_value(parts.next()?).ok()?;
        Some((host.unwrap_or_default(), from_redis_value(parts.next()?).ok()?))
    };
    Some(Range { first, last, servers: parts.filter_map(server).collect() })
}

/// Where the primaries are: reached as the entry was, with its login. A server that does not know its own name is where it was asked.
fn primaries_of(map: &[Range], entry: &Endpoint) -> Vec<Endpoint> {
    let mut primaries: Vec<&(String, u16)> = map.iter().filter_map(|range| range.servers.first()).collect();
    primaries.sort();
    primaries.dedup();
    primaries.into_iter().map(|(host, port)| entry.at(host, *port)).collect()
}
