//! A client for tests: requests over all replicas in turn, or to one; agents with a key.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::process::unique;
use super::reply::Reply;

/// Longer than the longest wait a replica grants (50 s), so that a test fails on what it asserts.
const ANSWER_LIMIT: Duration = Duration::from_secs(65);

/// Where the replicas are, and which of them a load balancer would send to.
pub struct Routes {
    ports: Vec<u16>,
    up: Vec<AtomicBool>,
    turn: AtomicUsize,
}

impl Routes {
    pub fn new(ports: Vec<u16>) -> Self {
        let up = ports.iter().map(|_| AtomicBool::new(true)).collect();
        Self { ports, up, turn: AtomicUsize::new(0) }
    }

    pub fn set_up(&self, replica: usize, up: bool) {
        self.up[replica].store(up, Ordering::SeqCst);
    }

    pub fn url(&self, replica: usize) -> String {
        format!("http://127.0.0.1:{}", self.ports[replica])
    }

    /// Round robin over those that are up; if none is, over all, so that the error is a refused connection.
    fn next(&self) -> usize {
        for _ in 0..self.ports.len() {
            let replica = self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len();
            if self.up[replica].load(Ordering::SeqCst) {
                return replica;
            }
        }
        self.turn.fetch_add(1, Ordering::Relaxed) % self.ports.len()
    }
}

/// Makes requests: to one replica, or each to the next one that is up. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    routes: Arc<Routes>,
    only: Option<usize>,
    key: Option<String>,
}

impl Client {
    pub fn new(routes: Arc<Routes>) -> Self {
        // reqwest asks for a TLS library even where all is plain HTTP; installed by whichever test comes first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .build()
            .expect("a client without TLS roots can be built");
        Self { http, routes, only: None, key: None }
    }

    /// The same, always to one replica.
    pub fn on(&self, replica: usize) -> Self {
        Self { only: Some(replica), ..self.clone() }
    }

    /// The same with a key, or whatever a test sends as one.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::POST, path).json(&body)
    }

    pub fn put(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::PUT, path).json(&body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::PATCH, path).json(&body)
    }

    pub fn delete(&self, path: &str) -> Ask {
        self.ask(Method::DELETE, path)
    }

    /// Any method, no body unless one is set with [`Ask::json`] or [`Ask::raw`].
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        let mut ask = Ask { client: self.clone(), method, path: path.to_owned(), headers: Vec::new(), body: None, limit: ANSWER_LIMIT };
        if let Some(key) = &self.key {
            ask.headers.push(("X-API-Key".into(), key.clone()));
        }
        ask
    }

    /// A new key, its label made unique with a suffix.
    pub async fn mint(&self, label: &str) -> Agent {
        let label = format!("{label}-{}", unique());
        let issued = self.post("/v1/keys", json!({ "agent_label": label })).await.ok(201);
        let text = |field: &str| issued[field].as_str().unwrap_or_else(|| panic!("no {field}: {issued}")).to_owned();
        Agent { client: self.with_key(&text("key")), key: text("key"), key_id: text("key_id"), label }
    }
}

/// One key and what its holder does. Methods that return an [`Ask`] can be given headers before they are awaited.
#[derive(Clone)]
pub struct Agent {
    client: Client,
    pub key: String,
    pub key_id: String,
    /// Also the name of the actor that came with the key.
    pub label: String,
}

impl Agent {
    /// The same agent, always at one replica.
    pub fn on(&self, replica: usize) -> Self {
        Self { client: self.client.on(replica), ..self.clone() }
    }

    pub fn get(&self, path: &str) -> Ask {
        self.client.get(path)
    }

    pub fn post(&self, path: &str, body: Value) -> Ask {
        self.client.post(path, body)
    }

    pub fn put(&self, path: &str, body: Value) -> Ask {
        self.client.put(path, body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Ask {
        self.client.patch(path, body)
    }

    pub fn delete(&self, path: &str) -> Ask {
        self.client.delete(path)
    }

    pub fn ask(&self, method: Method, path: &str) -> Ask {
        self.client.ask(method, path)
    }

    /// A new open channel (`claimable` or `broadcast`) under a fresh name; its id.
    pub async fn channel(&self, mode: &str) -> String {
        self.channel_with(json!({ "mode": mode })).await
    }

    /// The same, restricted to its owner and members.
    pub async fn restricted(&self, mode: &str) -> String {
        self.channel_with(json!({ "mode": mode, "access": "restricted" })).await
    }

    /// A new channel with these fields and a fresh name unless they have one; its id.
    pub async fn channel_with(&self, mut fields: Value) -> String {
        if fields.get("name").is_none() {
            fields["name"] = format!("channel-{}", unique()).into();
        }
        let channel = self.post("/v1/channels", fields).await.ok(201);
        channel["id"].as_str().unwrap_or_else(|| panic!("no id: {channel}")).to_owned()
    }

    /// Posts, and returns the message's id.
    pub async fn post_message(&self, channel: &str, content: &str) -> String {
        let posted = self.post_to(channel, json!({ "content": content })).await.ok(201);
        posted["message"]["id"].as_str().unwrap_or_else(|| panic!("no message.id: {posted}")).to_owned()
    }

    /// `POST …/messages` with any body.
    pub fn post_to(&self, channel: &str, body: Value) -> Ask {
        self.post(&format!("/v1/channels/{channel}/messages"), body)
    }

    /// `GET …/messages`, `query` without its question mark: `"limit=5&wait=2"`.
    pub fn list(&self, channel: &str, query: &str) -> Ask {
        self.get(&format!("/v1/channels/{channel}/messages?{query}"))
    }

    /// A plain claim as the key's own actor.
    pub fn claim(&self, message: &str) -> Ask {
        self.post(&format!("/v1/messages/{message}/claim"), json!({}))
    }

    pub fn claim_with_lease(&self, message: &str, lease_seconds: u32) -> Ask {
        self.post(&format!("/v1/messages/{message}/claim-with-lease"), json!({ "lease_seconds": lease_seconds }))
    }

    pub fn heartbeat(&self, lease_token: &str, lease_seconds: u32) -> Ask {
        self.post(&format!("/v1/leases/{lease_token}/heartbeat"), json!({ "lease_seconds": lease_seconds }))
    }

    pub fn release(&self, message: &str) -> Ask {
        self.post(&format!("/v1/messages/{message}/release"), json!({}))
    }

    pub fn ack(&self, message: &str) -> Ask {
        self.post(&format!("/v1/messages/{message}/ack"), json!({}))
    }

    /// `POST /v1/tasks/claim`: the next unclaimed message, with further `fields` like `wait` and `lease_seconds`.
    pub fn claim_next(&self, channel: &str, mut fields: Value) -> Ask {
        fields["channel"] = channel.into();
        self.post("/v1/tasks/claim", fields)
    }
}

/// A request that is sent when it is awaited.
///
/// Awaiting it fails the test when there is no answer at all; [`Ask::attempt`] returns that as an error.
#[must_use = "a request is sent when it is awaited"]
pub struct Ask {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    limit: Duration,
}

impl Ask {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Idempotency-Key`.
    pub fn once(self, idempotency_key: &str) -> Self {
        self.header("Idempotency-Key", idempotency_key)
    }

    /// To this replica.
    pub fn on(mut self, replica: usize) -> Self {
        self.client.only = Some(replica);
        self
    }

    /// Replaces the body by this JSON.
    pub fn json(self, body: &Value) -> Self {
        self.raw(body.to_string()).header("Content-Type", "application/json")
    }

    /// Replaces the body by these bytes; sets no content type.
    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Gives up after this time instead of 65 seconds.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// For tests that kill replicas: an error when the connection was refused or broke, or time ran out.
    pub async fn attempt(self) -> Result<Reply, reqwest::Error> {
        let replica = self.client.only.unwrap_or_else(|| self.client.routes.next());
        let url = format!("{}{}", self.client.routes.url(replica), self.path);
        let mut request = self.client.http.request(self.method.clone(), url).timeout(self.limit);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        Reply::read(&self.method, request.send().await?).await
    }
}

impl IntoFuture for Ask {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let asked = format!("{} {}", self.method, self.path);
            self.attempt().await.unwrap_or_else(|error| panic!("{asked} was not answered: {error:?}"))
        })
    }
}
