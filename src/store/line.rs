//! The subscriber's client: which one there is, and that there is one again after each loss.
//!
//! fred finds its way back to a server and to a cluster by itself. Behind sentinels it would not: once connected it only knows those that
//! the first one named, and never goes on from one that accepts connections and says nothing. So the primary is found by the code that
//! the commands use, and a new client is made for each connection.

use std::sync::Arc;
use std::time::Duration;

use fred::{
    clients::Client,
    interfaces::{ClientLike, ClusterInterface, EventInterface},
    types::{
        Builder, ClusterStateChange, Message, RespVersion,
        config::{ClusterDiscoveryPolicy, Config, ReconnectPolicy, Server, ServerConfig, TlsConfig, TlsConnector},
    },
};
use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect::CONNECT_TIMEOUT;
use super::primary::{Named, find_primary, replaced, watch_primary};
use super::pubsub::{COMMAND_TIMEOUT, PubSubError};
use super::target::{Endpoint, Kind, RedisTarget};

/// Messages that may wait for us before the oldest are dropped, which is told. fred allocates this at start.
const MESSAGE_BUFFER: usize = 16_384;
const RECONNECT_FIRST: Duration = Duration::from_millis(50);
const RECONNECT_LONGEST: Duration = Duration::from_millis(1000);
/// Whether a connection that is being made stands.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A client, or one after another.
pub(super) struct Line {
    /// Told again when it is connected.
    current: watch::Receiver<Client>,
    /// Rung when the connection is to be given up; only where clients are made one after another.
    give_up: Option<Arc<Notify>>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// Where a client tells what happens to it.
pub(super) struct Ears {
    /// Those of the next client.
    pub fresh: mpsc::UnboundedReceiver<Self>,
    pub messages: broadcast::Receiver<Message>,
    pub reconnects: broadcast::Receiver<Server>,
    pub topology: broadcast::Receiver<Vec<ClusterStateChange>>,
    pub errors: broadcast::Receiver<(fred::error::Error, Option<Server>)>,
}

impl Ears {
    fn of(client: &Client, fresh: mpsc::UnboundedReceiver<Self>) -> Self {
        Self {
            fresh,
            messages: client.message_rx(),
            reconnects: client.reconnect_rx(),
            topology: client.cluster_change_rx(),
            errors: client.error_rx(),
        }
    }

    /// In the place of those of the client before.
    pub fn put_on(self, old: &mut Self) {
        let Self { fresh: _, messages, reconnects, topology, errors } = self;
        (old.messages, old.reconnects, old.topology, old.errors) = (messages, reconnects, topology, errors);
    }
}

impl Line {
    /// Call within a tokio runtime.
    pub fn start(target: &RedisTarget) -> Result<(Self, Ears), PubSubError> {
        let (tell, fresh) = mpsc::unbounded_channel();
        if matches!(target.kind(), Kind::Sentinel { .. }) {
            let nobody = client(target, None, None)?;
            let ears = Ears::of(&nobody, fresh);
            let ((show, current), give_up) = (watch::channel(nobody), Arc::new(Notify::new()));
            let task = tokio::spawn(follow_primary(target.clone(), show, tell, give_up.clone()));
            return Ok((Self { current, give_up: Some(give_up), task: Mutex::new(Some(AbortOnDropHandle::new(task))) }, ears));
        }
        drop(tell); // nobody comes after it
        let client = client(target, None, Some(ReconnectPolicy::new_exponential(0, 50, 1000, 2)))?; // 0: for ever
        let ears = Ears::of(&client, fresh);
        let connecting = AbortOnDropHandle::new(client.connect());
        let task = tokio::spawn(async move {
            if let Ok(Err(error)) = connecting.await {
                tracing::warn!(%error, "the subscriber stopped connecting");
            }
        });
        let task = Mutex::new(Some(AbortOnDropHandle::new(task)));
        Ok((Self { current: watch::channel(client).1, give_up: None, task }, ears))
    }

    pub fn client(&self) -> Client {
        self.current.borrow().clone()
    }

    /// The client as soon as it is connected. One that finds its way back by itself holds commands until it is.
    pub async fn connected(&self) -> Result<Client, PubSubError> {
        if self.give_up.is_none() {
            return Ok(self.client());
        }
        let mut current = self.current.clone();
        let connected = timeout(COMMAND_TIMEOUT, current.wait_for(ClientLike::is_connected)).await;
        connected.ok().and_then(Result::ok).map(|client| client.clone()).ok_or(PubSubError::Away)
    }

    /// Gives up the connection for a new one; in a cluster, unless `all`, only reads the map of nodes again.
    pub async fn renew(&self, all: bool) {
        let client = self.client();
        let done = match &self.give_up {
            Some(give_up) => {
                give_up.notify_one();
                return;
            }
            None if client.is_clustered() && !all => client.sync_cluster().await,
            None => client.force_reconnection().await,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "subscriber connection could not be renewed");
        }
    }

    /// Says goodbye and stops connecting. Takes at most half a second.
    pub async fn close(&self) {
        let goodbye = timeout(Duration::from_millis(500), async move { self.client().quit().await }).await;
        if !matches!(goodbye, Ok(Ok(()))) {
            tracing::debug!("subscriber connection closed without goodbye");
        }
        drop(self.task.lock().take()); // still trying to connect, if Redis is away
    }
}

/// Asks who the primary is, connects there, waits until that ends or another server is the primary; for ever.
async fn follow_primary(target: RedisTarget, show: watch::Sender<Client>, tell: mpsc::UnboundedSender<Ears>, give_up: Arc<Notify>) {
    let (mut word, _asking) = watch_primary(&target).unzip();
    let mut pause = RECONNECT_FIRST;
    loop {
        let began = Instant::now();
        match connect(&target, &tell).await {
            Ok((client, named, mut connected)) => {
                show.send_replace(client.clone());
                let stands = async {
                    while !client.is_connected() {
                        sleep(LOOK_EVERY).await;
                    }
                    show.send_replace(client.clone());
                    give_up.notified().await;
                };
                tokio::select! {
                    _ = &mut connected => {}
                    () = stands => {}
                    () = replaced(word.as_mut(), Some(&named)) => {}
                }
                drop(connected);
                if let Ok(nobody) = self::client(&target, None, None) {
                    show.send_replace(nobody); // is not connected, and says so
                }
            }
            Err(cause) => tracing::debug!(%cause, "the primary cannot be subscribed at"),
        }
        if began.elapsed() > 2 * RECONNECT_LONGEST {
            pause = RECONNECT_FIRST;
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(RECONNECT_LONGEST);
    }
}

/// A client that is connecting, once, to the primary of the moment.
async fn connect(
    target: &RedisTarget,
    tell: &mpsc::UnboundedSender<Ears>,
) -> anyhow::Result<(Client, Named, AbortOnDropHandle<Result<(), fred::error::Error>>)> {
    let named = timeout(CONNECT_TIMEOUT * 2, find_primary(target)).await??.named;
    let client = client(target, Some((named.host.clone(), named.port)), None)?;
    let (_, fresh) = mpsc::unbounded_channel();
    // Before it connects, so that nothing of that is missed.
    tell.send(Ears::of(&client, fresh)).ok();
    let connected = AbortOnDropHandle::new(client.connect());
    Ok((client, named, connected))
}

/// `again`: how it connects again by itself; none: it does not, its task ends with the connection.
fn client(target: &RedisTarget, primary: Option<(String, u16)>, again: Option<ReconnectPolicy>) -> Result<Client, PubSubError> {
    let config = Config { fail_fast: again.is_none(), ..config_of(target, primary)? };
    let mut builder = Builder::from_config(config);
    builder
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
        });
    if let Some(policy) = again {
        builder.set_policy(policy);
    }
    builder.build().map_err(|e| PubSubError::Target(e.to_string()))
}

/// The target in fred's words; `primary`: behind sentinels, the one they named.
fn config_of(target: &RedisTarget, primary: Option<(String, u16)>) -> Result<Config, PubSubError> {
    let wrong = |e: &dyn std::fmt::Display| PubSubError::Target(e.to_string());
    let servers = |endpoints: &[Endpoint]| endpoints.iter().map(|e| Server::new(e.host(), e.port())).collect();
    let server = match target.kind() {
        Kind::Standalone(one) => ServerConfig::new_centralized(one.host(), one.port()),
        Kind::Cluster(entries) => ServerConfig::Clustered { hosts: servers(entries), policy: ClusterDiscoveryPolicy::default() },
        Kind::Sentinel { .. } => {
            let (host, port) = primary.unwrap_or_default();
            ServerConfig::new_centralized(host, port)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stays_one_word() {
        assert_eq!(inline_word("p@ss:w%rd/#?"), "p@ss:w%rd/#?");
        assert_eq!(inline_word("a b"), r#""\x61\x20\x62""#);
        assert_eq!(inline_word("\"\n"), r#""\x22\x0a""#);
    }
}
