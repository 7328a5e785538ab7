//! The subscribing connection of a replica: sharded pub/sub through `fred`, and nothing else.
//!
//! It confirms subscriptions, hands out what arrives, and says when messages may have been missed. It remembers no
//! subscription: which topics are wanted, and putting them back after a loss, is the hub's business ([`crate::wait`]).
//! fred's own bookkeeping (`manage_subscriptions`, `resubscribe_all`) is not used: it gives up on the first error and
//! its replies get mixed up with those of other commands.

use std::time::Duration;

use fred::{
    interfaces::{ClientInterface, ClientLike, PubsubInterface},
    types::{
        ClusterHash, CustomCommand, Value,
        config::{Options, Server},
    },
};
use futures::future::try_join_all;
use tokio::sync::broadcast::error::RecvError;

use super::line::{Ears, Line};
use super::target::RedisTarget;

/// How long one command may take, including the time it queues while there is no connection.
pub const COMMAND_TIMEOUT: Duration = Duration::from_millis(1500);
/// Why a subscribing command failed. All but [`PubSubError::Target`] may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum PubSubError {
    /// The target is not one that fred understands.
    #[error("redis: {0}")]
    Target(String),
    /// Redis refused, did not answer within [`COMMAND_TIMEOUT`], or is not there.
    #[error("redis: {0}")]
    Redis(#[from] fred::error::Error),
    /// There is no primary to subscribe at.
    #[error("no connection to the primary")]
    Away,
    /// The reply belongs to another command: the connection must be replaced.
    #[error("reply to another command: {0}")]
    Confused(&'static str),
}

/// What the connection has to tell.
#[derive(Debug)]
pub enum Event {
    /// A message on a subscribed topic.
    Message { topic: String, payload: Vec<u8> },
    /// This many messages were dropped because nobody took them in time.
    Lagged(u64),
    /// The connection is gone, or could not be made (again).
    Disconnected,
    /// A connection was made (also the first one): it holds no subscription yet.
    Reconnected,
    /// The cluster's slots or nodes have changed: subscriptions of moved slots are gone.
    TopologyChanged,
}

/// One connection (one per primary in a cluster) that only subscribes.
pub struct PubSub {
    line: Line,
}

impl PubSub {
    /// Starts connecting in the background, for ever. Redis need not be there. Fails only on a target that cannot be turned into
    /// client settings. Call within a tokio runtime.
    pub fn connect(target: &RedisTarget) -> Result<(Self, Events), PubSubError> {
        let (line, ears) = Line::start(target)?;
        Ok((Self { line }, Events { ears }))
    }

    /// Subscribes to `topic` and returns once Redis has confirmed exactly that. Repeating it is harmless.
    pub async fn ssubscribe(&self, topic: &str) -> Result<(), PubSubError> {
        // Not fred's `ssubscribe`: that one waits for each answer before it sends the next command, and throws the
        // answer away unread.
        let command = CustomCommand::new_static("SSUBSCRIBE", ClusterHash::FirstKey, false);
        let reply: Value = self.line.connected().await?.custom(command, vec![topic]).await?;
        match &reply {
            Value::Array(parts) if parts.get(1).and_then(Value::as_str).is_some_and(|name| &*name == topic) => Ok(()),
            _ => Err(PubSubError::Confused("SSUBSCRIBE")),
        }
    }

    /// Ends the subscription to `topic`. Returns when the command is written, not when it has been obeyed; a later
    /// command on this connection comes after it.
    pub async fn sunsubscribe(&self, topic: &str) -> Result<(), PubSubError> {
        Ok(self.line.client().sunsubscribe(topic).await?)
    }

    /// How many topics Redis holds for this connection (`ssub` of `CLIENT INFO`; in a cluster the sum over the
    /// connections to all primaries). `None` where the server does not say (Redis before 7.0.3).
    pub async fn subscription_count(&self) -> Result<Option<u64>, PubSubError> {
        let client = self.line.client();
        if !client.is_clustered() {
            return ssub(&client.client_info().await?);
        }
        let nodes = client.active_connections();
        let counts = try_join_all(nodes.into_iter().map(|node| self.count_on(node))).await?;
        Ok(counts.into_iter().sum()) // None if one of them is
    }

    async fn count_on(&self, server: Server) -> Result<Option<u64>, PubSubError> {
        let only_there = Options { cluster_node: Some(server), ..Options::default() };
        ssub(&self.line.client().with_options(&only_there).client_info().await?)
    }

    /// Whether one of the connections leads to a server that is no primary any more. Subscriptions stand there, but what is published at its
    /// primary may not reach it: in a planned failover not before the two have heard of each other again, which can take seconds.
    pub async fn strays(&self) -> Result<bool, PubSubError> {
        let client = self.line.client();
        if !client.is_clustered() {
            return Ok(false); // sentinels close the connections of a primary that they demote
        }
        let roles = client.active_connections().into_iter().map(|node| {
            let only_there = Options { cluster_node: Some(node), ..Options::default() };
            let asked = client.with_options(&only_there);
            async move { asked.custom::<Value, &str>(CustomCommand::new_static("ROLE", ClusterHash::Random, false), vec![]).await }
        });
        let is_primary =
            |role: &Value| matches!(role, Value::Array(parts) if parts.first().and_then(Value::as_str).is_some_and(|r| &*r == "master"));
        Ok(!try_join_all(roles).await?.iter().all(is_primary))
    }

    /// True while every connection is up, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.line.client().is_connected()
    }

    /// Replaces a connection that does not answer or answers wrongly. In a cluster only the map of nodes is read again
    /// unless `all`: dropping the connections to the healthy nodes with it would silence their topics until the bad
    /// node is back.
    pub async fn renew(&self, all: bool) {
        self.line.renew(all).await;
    }

    /// Says goodbye and stops connecting. Takes at most half a second.
    pub async fn close(&self) {
        self.line.close().await;
    }
}

/// Reads `ssub=N` out of a `CLIENT INFO` line.
fn ssub(info: &Value) -> Result<Option<u64>, PubSubError> {
    let Some(line) = info.as_str() else { return Err(PubSubError::Confused("CLIENT INFO")) };
    if !line.starts_with("id=") {
        return Err(PubSubError::Confused("CLIENT INFO"));
    }
    Ok(line.split_ascii_whitespace().find_map(|field| field.strip_prefix("ssub=")?.parse().ok()))
}

/// Everything the connection has to tell, in one stream. What it buffers is bounded; what is dropped is told.
pub struct Events {
    ears: Ears,
}

impl Events {
    /// The next event, or `None` after [`PubSub::close`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let heard = self.hear().await;
        if heard.is_some() {
            return heard;
        }
        // That client has ended; it may be followed by another.
        self.ears.fresh.recv().await?.put_on(&mut self.ears);
        Some(Event::Disconnected)
    }

    async fn hear(&mut self) -> Option<Event> {
        let Ears { fresh, messages, reconnects, topology, errors } = &mut self.ears;
        tokio::select! {
            // Losses first, so that a flood of messages cannot hide them.
            biased;
            Some(ears) = fresh.recv() => {
                ears.put_on(&mut self.ears);
                Some(Event::Disconnected)
            }
            said = errors.recv() => said_or_lagged(said, Event::Disconnected),
            said = reconnects.recv() => said_or_lagged(said, Event::Reconnected),
            said = topology.recv() => said_or_lagged(said, Event::TopologyChanged),
            said = messages.recv() => match said {
                Ok(message) => Some(Event::Message {
                    topic: message.channel.to_string(),
                    payload: message.value.as_bytes().map(<[u8]>::to_vec).unwrap_or_default(),
                }),
                Err(RecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
                Err(RecvError::Closed) => None,
            },
        }
    }
}

/// Missing some of several equal events is as good as hearing one.
fn said_or_lagged<T>(said: Result<T, RecvError>, event: Event) -> Option<Event> {
    match said {
        Ok(_) | Err(RecvError::Lagged(_)) => Some(event),
        Err(RecvError::Closed) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_client_info() {
        let info = |line: &str| ssub(&Value::from(line));
        assert!(matches!(info("id=3 addr=127.0.0.1:1 sub=0 psub=0 ssub=12 multi=-1"), Ok(Some(12))));
        assert!(matches!(info("id=3 addr=127.0.0.1:1 sub=0 psub=0 multi=-1"), Ok(None)), "before Redis 7.0.3");
        assert!(matches!(info("OK"), Err(PubSubError::Confused(_))), "somebody else's reply");
        assert!(matches!(ssub(&Value::Integer(7)), Err(PubSubError::Confused(_))));
    }

    #[tokio::test]
    async fn a_database_that_no_redis_has_is_refused() {
        let target = RedisTarget::parse("redis://localhost/256").unwrap();
        assert!(matches!(PubSub::connect(&target), Err(PubSubError::Target(_))));
    }
}
