//! Encrypted rooms: their calls, their life, their limits, over several replicas.

mod calls;
mod counts;
mod failover;
mod fleet;
mod full;
mod life;
mod limits;
mod lines;
mod pages;
mod quiet;
mod round_trips;
mod scripts;
mod sealing;
mod shell;
mod trouble;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Ask, Client};
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;

/// A room and whom to ask about it.
#[derive(Clone)]
pub struct Room {
    pub client: Client,
    pub id: String,
    pub token: String,
}

impl Room {
    pub async fn make(client: &Client) -> Self {
        let made = client.ask(reqwest::Method::POST, "/channels").await.ok(200);
        let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("no {name}: {made}")).to_owned();
        Self { client: client.clone(), id: text("channel_id"), token: text("token") }
    }

    pub fn path(&self, call: &str) -> String {
        format!("/channels/{}/{call}", self.id)
    }

    pub fn join(&self, name: &str) -> Ask {
        self.client.post(&self.path("join"), json!({ "token": self.token, "name": name }))
    }

    /// Joins, and answers the participant's id.
    pub async fn joined(&self, name: &str) -> String {
        self.join(name).await.ok(200)["participant_id"].as_str().expect("an id").to_owned()
    }

    pub fn send(&self, participant: &str, text: &str) -> Ask {
        self.client.post(&self.path("send"), json!({ "token": self.token, "participant_id": participant, "text": text }))
    }

    pub fn leave(&self, participant: &str) -> Ask {
        self.client.post(&self.path("leave"), json!({ "token": self.token, "participant_id": participant }))
    }

    pub fn poll(&self, participant: &str, since: u64) -> Ask {
        self.client.get(&format!("{}?token={}&participant_id={participant}&since={since}", self.path("poll"), self.token))
    }
}

/// Asks until there is an answer that is no trouble of the service: what a client in the field does.
pub async fn insist(ask: impl Fn() -> Ask) -> Reply {
    let began = Instant::now();
    loop {
        match ask().within(Duration::from_secs(20)).attempt().await {
            Ok(reply) if reply.status < 500 => return reply,
            _ => assert!(began.elapsed() < Duration::from_secs(60), "no answer for long"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The body of a refusal, which has nothing else in it.
#[track_caller]
pub fn said(reply: Reply, status: u16, body: Value) {
    let reply = reply.has_status(status);
    assert_eq!(reply.body, body);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// A refusal that only has its word.
#[track_caller]
pub fn refused(reply: Reply, status: u16, word: &str) {
    said(reply, status, json!({ "error": word }));
}

/// What the entries of a page are: `(index, type, from)`.
pub fn entries(page: &Value) -> Vec<(u64, String, String)> {
    let text = |m: &Value, name: &str| m[name].as_str().unwrap_or_default().to_owned();
    let all = page["messages"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    all.iter().map(|m| (m["index"].as_u64().expect("an index"), text(m, "type"), text(m, "from"))).collect()
}

/// Changes in a room's record when its lifetime `ends` or when it was last `seen`, by a line of Lua.
pub fn set_life(redis: &RedisServer, record: &str, change: &str) {
    let script = format!(
        "local life = redis.call('HGET', KEYS[1], 'life') local ends, seen = struct.unpack('<dd', life) {change} \
         redis.call('HSET', KEYS[1], 'life', struct.pack('<dd', ends, seen) .. string.sub(life, 17))"
    );
    redis.run::<()>(&["EVAL", &script, "1", record]);
}
