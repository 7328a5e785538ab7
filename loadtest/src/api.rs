//! What the scenarios say to Backchannel, and what they prepare: keys, channels, messages.

use anyhow::{Context, Result, anyhow};
use futures::future::{join_all, try_join_all};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Ask, Connection, Failure, read};

/// Length of every posted content, in bytes.
pub const CONTENT_BYTES: usize = 200;
/// Below what a key may own by default.
const CHANNELS_PER_KEY: usize = 500;
/// Connections that prepare; they are closed before anything is measured.
const PREPARERS: usize = 64;

/// Where to send load to, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// One URL a replica.
    pub urls: Vec<String>,
    /// Connections of the load.
    pub connections: usize,
    keys: Vec<String>,
}

async fn create(owner: &mut Connection, fields: &mut Value) -> Result<String> {
    fields["name"] = json!(unique());
    let created: Created = read(&owner.send(Ask::post("/v1/channels", fields)).await.context("creating a channel")?)?;
    Ok(created.id)
}

/// A message that was posted.
#[derive(Clone, Debug, Deserialize)]
pub struct Posted {
    pub id: String,
    pub created_at: String,
}

#[derive(Deserialize)]
struct Envelope {
    message: Posted,
}

#[derive(Deserialize)]
struct Minted {
    key: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl Target {
    /// Mints a key for each connection, at most 64.
    ///
    /// # Errors
    /// When the server refuses, as it does where few keys may be minted.
    pub async fn prepare(urls: &[String], connections: usize) -> Result<Self> {
        let first = urls.first().ok_or_else(|| anyhow!("no URL was given"))?;
        let keys = try_join_all((0..connections.clamp(1, PREPARERS)).map(|i| mint(first, i))).await.context("minting keys")?;
        Ok(Self { urls: urls.to_vec(), connections, keys })
    }

    /// The key of one worker.
    pub fn key(&self, worker: usize) -> &str {
        &self.keys[worker % self.keys.len()]
    }

    /// The same load, all of it with the key of one worker.
    pub fn only(&self, worker: usize) -> Self {
        Self { keys: vec![self.key(worker).to_owned()], ..self.clone() }
    }

    /// The id of a key that nobody uses.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn stranger(&self) -> Result<String> {
        let key = mint(&self.urls[0], 0).await?;
        Ok(key.split('.').next().unwrap_or_default().to_owned())
    }

    /// A connection of one worker; workers are spread over the replicas.
    ///
    /// # Errors
    /// When a URL is none.
    pub fn connect(&self, worker: usize) -> Result<Connection> {
        Connection::new(&self.urls[worker % self.urls.len()], Some(self.key(worker)))
    }

    /// One open channel. `mode`: claimable or broadcast.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn channel(&self, mode: &str) -> Result<String> {
        Ok(self.channels(mode, 1).await?.remove(0))
    }

    /// Some open channels that are not listed, not more to a key than it may own.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn channels(&self, mode: &str, count: usize) -> Result<Vec<String>> {
        self.channels_with(json!({ "mode": mode, "discoverable": false }), count).await
    }

    /// The same with these fields.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn channels_with(&self, mut fields: Value, count: usize) -> Result<Vec<String>> {
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let key = mint(&self.urls[0], found.len()).await?;
            let mut connection = Connection::new(&self.urls[0], Some(&key))?;
            for _ in 0..CHANNELS_PER_KEY.min(count - found.len()) {
                found.push(create(&mut connection, &mut fields).await?);
            }
        }
        Ok(found)
    }

    /// A channel with these fields that the first worker's key owns, and may change.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn own_channel(&self, mut fields: Value) -> Result<String> {
        fields["discoverable"] = json!(false);
        create(&mut self.connect(0)?, &mut fields).await
    }

    /// Posts `each` messages to every channel; all of them, in no order.
    ///
    /// # Errors
    /// When a post is refused.
    pub async fn fill(&self, channels: &[String], each: u64) -> Result<Vec<Posted>> {
        let all: Vec<&String> = channels.iter().flat_map(|c| std::iter::repeat_n(c, usize::try_from(each).unwrap_or(0))).collect();
        let share = all.len().div_ceil(PREPARERS).max(1);
        let posted = join_all(all.chunks(share).enumerate().map(|(i, part)| async move {
            let mut connection = self.connect(i)?;
            let mut posted = Vec::with_capacity(part.len());
            for channel in part {
                posted.push(read_posted(&connection.send(post(channel)).await.context("filling a channel")?)?);
            }
            Ok::<_, anyhow::Error>(posted)
        }));
        Ok(posted.await.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }
}

/// # Errors
/// When it is not the answer to a post.
pub fn read_posted(body: &[u8]) -> Result<Posted, Failure> {
    read::<Envelope>(body).map(|e| e.message)
}

/// A post of [`CONTENT_BYTES`] bytes.
pub fn post(channel: &str) -> Ask {
    Ask::post(&format!("/v1/channels/{channel}/messages"), &json!({ "content": content() }))
}

pub fn claim(message: &str) -> Ask {
    Ask::post(&format!("/v1/messages/{message}/claim"), &json!({}))
}

pub fn ack(message: &str) -> Ask {
    Ask::post(&format!("/v1/messages/{message}/ack"), &json!({}))
}

/// The oldest unclaimed messages under a lease, without waiting.
pub fn claim_next(channel: &str, lease_s: u64, most: u64) -> Ask {
    Ask::post("/v1/tasks/claim", &json!({ "channel": channel, "lease_seconds": lease_s, "max": most }))
}

/// Whether a claim found nothing.
pub fn found_nothing(answer: &[u8]) -> bool {
    answer.starts_with(b"{\"claimed\":null")
}

/// A page of messages after a cursor; held for `wait_s` seconds while there are none.
pub fn list(channel: &str, cursor: &str, page: u64, wait_s: u64) -> Ask {
    Ask::get(&format!("/v1/channels/{channel}/messages?cursor={cursor}&limit={page}&wait={wait_s}"))
}

pub fn content() -> String {
    "0123456789".repeat(CONTENT_BYTES / 10)
}

async fn mint(url: &str, number: usize) -> Result<String> {
    let body = json!({ "agent_label": format!("load-{}-{number}", unique()) });
    let minted: Minted = read(&Connection::new(url, None)?.send(Ask::post("/v1/keys", &body)).await?)?;
    Ok(minted.key)
}

/// A word that no other call in any run got.
fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{now:x}-{:x}-{:x}", std::process::id(), SERIAL.fetch_add(1, Relaxed))
}
