//! The subscribing connection of a replica: sharded pub/sub through `fred`, and nothing else.
//!
//! It confirms subscriptions, hands out what arrives, and says when messages may have been missed. It remembers no
//! subscription: which topics are wanted, and putting them back after a loss, is the hub's business ([`crate::wait`]).
//! fred's own bookkeeping (`manage_subscriptions`, `resubscribe_all`) is not used: it gives up on the first error and
//! its replies get mixed up with those of other commands.

use std::time::Duration;

use fred::{
    clients::Client,
    interfaces::{ClientInterface, ClientLike, ClusterInterface, EventInterface, PubsubInterface},
    types::{
        Builder, ClusterHash, ClusterStateChange, ConnectHandle, CustomCommand, Message, RespVersion, Value,
        config::{ClusterDiscoveryPolicy, Config, Options, ReconnectPolicy, Server, ServerConfig, TlsConfig, TlsConnector},
    },
};
use futures::future::try_join_all;
use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::target::{Endpoint, Kind, RedisTarget};

/// How long one command may take, including the time it queues while there is no connection.
pub const COMMAND_TIMEOUT: Duration = Duration::from_millis(1500);
/// Messages that may wait for us before the oldest are dropped, which [`Event::Lagged`] then tells. fred allocates this
/// at start.
const MESSAGE_BUFFER: usize = 16_384;

/// Why a subscribing command failed. All but [`PubSubError::Target`] may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum PubSubError {
    /// The target is not one that fred understands.
    #[error("redis: {0}")]
    Target(String),
    /// Redis refused, did not answer within [`COMMAND_TIMEOUT`], or is not there.
    #[error("redis: {0}")]
    Redis(#[from] fred::error::Error),
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
    client: Client,
    task: Mutex<Option<ConnectHandle>>,
}

impl PubSub {
    /// Starts connecting in the background, for ever. Redis need not be there. Fails only on a target that cannot be turned into
    /// client settings. Call within a tokio runtime.
    pub fn connect(target: &RedisTarget) -> Result<(Self, Events), PubSubError> {
        let client = Builder::from_config(config_of(target)?)
            .with_performance_config(|p| {
                p.default_command_timeout = COMMAND_TIMEOUT;
                p.broadcast_channel_capacity = MESSAGE_BUFFER;
            })
            .with_connection_config(|c| {
                c.connection_timeout = Duration::from_millis(500);
                c.internal_command_timeout = Duration::from_secs(1);
                c.max_command_attempts = 3; // all commands here may be repeated, and a MOVED costs an attempt
                c.max_command_buffer_len = 20_000;
                #[cfg(target_os = "linux")]
                {
                    // The only thing that notices a black hole under steady traffic.
                    c.tcp.user_timeout = Some(Duration::from_secs(2));
                }
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 50, 1000, 2)) // 0: for ever
            .build()
            .map_err(|e| PubSubError::Target(e.to_string()))?;
        let events = Events {
            messages: client.message_rx(),
            reconnects: client.reconnect_rx(),
            topology: client.cluster_change_rx(),
            errors: client.error_rx(),
        };
        let task = Mutex::new(Some(client.connect()));
        Ok((Self { client, task }, events))
    }

    /// Subscribes to `topic` and returns once Redis has confirmed exactly that. Repeating it is harmless.
    pub async fn ssubscribe(&self, topic: &str) -> Result<(), PubSubError> {
        // Not fred's `ssubscribe`: that one waits for each answer before it sends the next command, and throws the
        // answer away unread.
        let command = CustomCommand::new_static("SSUBSCRIBE", ClusterHash::FirstKey, false);
        let reply: Value = self.client.custom(command, vec![topic]).await?;
        match &reply {
            Value::Array(parts) if parts.get(1).and_then(Value::as_str).is_some_and(|name| &*name == topic) => Ok(()),
            _ => Err(PubSubError::Confused("SSUBSCRIBE")),
        }
    }

    /// Ends the subscription to `topic`. Returns when the command is written, not when it has been obeyed; a later
    /// command on this connection comes after it.
    pub async fn sunsubscribe(&self, topic: &str) -> Result<(), PubSubError> {
        Ok(self.client.sunsubscribe(topic).await?)
    }

    /// How many topics Redis holds for this connection (`ssub` of `CLIENT INFO`; in a cluster the sum over the
    /// connections to all primaries). `None` where the server does not say (Redis before 7.0.3).
    pub async fn subscription_count(&self) -> Result<Option<u64>, PubSubError> {
        if !self.client.is_clustered() {
            return ssub(&self.client.client_info().await?);
        }
        let nodes = self.client.active_connections();
        let counts = try_join_all(nodes.into_iter().map(|node| self.count_on(node))).await?;
        Ok(counts.into_iter().sum()) // None if one of them is
    }

    async fn count_on(&self, server: Server) -> Result<Option<u64>, PubSubError> {
        let only_there = Options { cluster_node: Some(server), ..Options::default() };
        ssub(&self.client.with_options(&only_there).client_info().await?)
    }

    /// True while every connection is up, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Replaces a connection that does not answer or answers wrongly. In a cluster only the map of nodes is read again
    /// unless `all`: dropping the connections to the healthy nodes with it would silence their topics until the bad
    /// node is back.
    pub async fn renew(&self, all: bool) {
        let done = match self.client.is_clustered() && !all {
            true => self.client.sync_cluster().await,
            false => self.client.force_reconnection().await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "subscriber connection could not be renewed");
        }
    }

    /// Says goodbye and stops connecting. Takes at most half a second.
    pub async fn close(&self) {
        let goodbye = tokio::time::timeout(Duration::from_millis(500), self.client.quit()).await;
        if !matches!(goodbye, Ok(Ok(()))) {
            tracing::debug!("subscriber connection closed without goodbye");
        }
        if let Some(task) = self.task.lock().take() {
            task.abort(); // still trying to connect, if Redis is away
        }
    }
}

/// The target in fred's words.
fn config_of(target: &RedisTarget) -> Result<Config, PubSubError> {
    let wrong = |e: &dyn std::fmt::Display| PubSubError::Target(e.to_string());
    let servers = |endpoints: &[Endpoint]| endpoints.iter().map(|e| Server::new(e.host(), e.port())).collect();
    let server = match target.kind() {
        Kind::Standalone(one) => ServerConfig::new_centralized(one.host(), one.port()),
        Kind::Cluster(entries) => ServerConfig::Clustered { hosts: servers(entries), policy: ClusterDiscoveryPolicy::default() },
        Kind::Sentinel { sentinels, service, .. } => ServerConfig::Sentinel {
            hosts: servers(sentinels),
            service_name: service.clone(),
            username: sentinels[0].login().user().map(str::to_owned),
            password: sentinels[0].login().password().map(str::to_owned),
        },
    };
    let tls: Option<TlsConfig> = match target.authorities() {
        _ if !target.tls() => None,
        Some(pem) => Some(connector(pem).map_err(|e| wrong(&e))?.into()),
        None => Some(TlsConnector::default_rustls().map_err(|e| wrong(&e))?.into()),
    };
    let login = target.login();
    Ok(Config {
        server,
        username: login.user().map(inline_word),
        password: login.password().map(inline_word),
        database: Some(u8::try_from(login.db()).map_err(|e| wrong(&e))?).filter(|db| *db > 0),
        tls,
        version: RespVersion::RESP3, // on RESP2 a subscribing connection takes no other command
        fail_fast: false,
        ..Config::default()
    })
}

/// fred writes user and password into an inline command, `HELLO 3 AUTH user password`, as they are: what Redis would read as more than
/// one word, or as quotes, is put into quotes here, byte by byte.
fn inline_word(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\')) {
        return text.to_owned();
    }
    let escaped: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{escaped}\"")
}

/// Trusts these authorities and no others.
fn connector(pem: &[u8]) -> anyhow::Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth().into())
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
    messages: Receiver<Message>,
    reconnects: Receiver<Server>,
    topology: Receiver<Vec<ClusterStateChange>>,
    errors: Receiver<(fred::error::Error, Option<Server>)>,
}

impl Events {
    /// The next event, or `None` after [`PubSub::close`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            // Losses first, so that a flood of messages cannot hide them.
            biased;
            said = self.errors.recv() => said_or_lagged(said, Event::Disconnected),
            said = self.reconnects.recv() => said_or_lagged(said, Event::Reconnected),
            said = self.topology.recv() => said_or_lagged(said, Event::TopologyChanged),
            said = self.messages.recv() => match said {
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

    #[test]
    fn a_password_stays_one_word() {
        assert_eq!(inline_word("p@ss:w%rd/#?"), "p@ss:w%rd/#?");
        assert_eq!(inline_word("a b"), r#""\x61\x20\x62""#);
        assert_eq!(inline_word("\"\n"), r#""\x22\x0a""#);
    }

    #[tokio::test]
    async fn a_database_that_no_redis_has_is_refused() {
        let target = RedisTarget::parse("redis://localhost/256").unwrap();
        assert!(matches!(PubSub::connect(&target), Err(PubSubError::Target(_))));
    }
}
