//! A walk over the records of all channels: SCAN on each primary, by a connection of its own, so that no request waits behind it.

use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::cmd;
use tokio::time::timeout;

use super::connect::CONNECT_TIMEOUT;
use super::keyspace::Keyspace;
use super::nodes::Nodes;
use super::target::RedisTarget;
use crate::error::{ApiError, Code, Result};
use crate::ids::ChannelId;

/// One walk. What exists from its begin to its end is met, mostly once: a key that Redis moves meanwhile, to another place of its table or to
/// another primary, may be met twice.
pub struct Walk {
    keys: Keyspace,
    pattern: String,
    /// Those that were not walked to their end yet; the last one is under way.
    primaries: Vec<MultiplexedConnection>,
    /// Where the page begins; none: with the next primary.
    cursor: Option<String>,
}

impl Walk {
    /// Connects to all primaries. `answer_within`: longest time a page may take.
    ///
    /// # Errors
    /// When one of them cannot be reached: a walk without it would miss its channels.
    pub async fn begin(target: &RedisTarget, keys: &Keyspace, answer_within: Duration) -> Result<Self> {
        let nodes = Nodes::new(target, Some(answer_within));
        let nodes = timeout(CONNECT_TIMEOUT * 4, nodes.primaries()).await.map_err(|_| away("connecting took too long"))?.map_err(away)?;
        let primaries = nodes.into_iter().map(|node| node.connection.map_err(away)).collect::<Result<Vec<_>>>()?;
        Ok(Self { keys: keys.clone(), pattern: keys.channel_records(), primaries, cursor: None })
    }

    /// The channels among about so many further keys of any kind; None: the walk has ended.
    ///
    /// # Errors
    /// When the primary does not answer: the walk is to begin again.
    pub async fn page(&mut self, keys: usize) -> Result<Option<Vec<ChannelId>>> {
        let Some(primary) = self.primaries.last_mut() else { return Ok(None) };
        let from = self.cursor.as_deref().unwrap_or("0");
        let mut scan = cmd("SCAN");
        scan.arg(from).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(keys);
        let (next, found): (String, Vec<String>) = scan.query_async(primary).await.map_err(away)?;
        self.cursor = (next != "0").then_some(next);
        if self.cursor.is_none() {
            self.primaries.pop();
        }
        Ok(Some(found.iter().filter_map(|key| self.keys.channel_of_record(key)).collect()))
    }
}

fn away(cause: impl ToString) -> ApiError {
    ApiError::new(Code::StorageUnavailable).cause(cause.to_string())
}
