//! Messages: what a channel holds. The part that never changes comes from the stream, the part that does from the claim record.

mod carried;
pub mod history;
pub mod list;
pub mod mentions;
pub mod poll;
pub mod post;
pub mod receipt;
pub mod retract;
pub mod told;
mod watch;

use deadpool_redis::redis::Value;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::actors::ActorRef;
use crate::claims::record::{Ack, ClaimRecord};
use crate::error::{ApiError, Result};
use crate::ids::{ChannelId, MessageId, Micros};
use crate::store::Reply;
use crate::store::reply::str_of;
use crate::telemetry::Mark;

/// Longest `metadata`, in bytes of the JSON as it was sent.
pub const MAX_METADATA_BYTES: usize = 16_384;
/// Most bytes of the messages of a page: 1 MiB with what is around them.
const MAX_PAGE_BYTES: usize = 1_048_576 - 256;
/// Between the parts of a stored head or record: names hold no control characters.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// A message as every operation shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    pub id: String,
    pub channel_id: String,
    /// Who posted it; null when only a label was given.
    actor: Option<ActorRef>,
    /// Free text that the poster gave.
    actor_label: Option<String>,
    pub content: String,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    /// Also the cursor of what comes after this message.
    pub created_at: String,
    expires_at: String,
    /// The name the holder acts under; for the verified identity see claimed_by_key_id.
    claimed_by: Option<ActorRef>,
    /// The API key that holds or held the claim.
    claimed_by_key_id: Option<String>,
    /// The actors that it mentions and that may read the channel.
    mentions: Vec<ActorRef>,
    claimed_at: Option<String>,
    acknowledged_by: Vec<AckView>,
    /// False once it has expired.
    active: bool,
    /// The API key that posted it.
    posted_by_key_id: String,
    /// `open`, `claimed`, `done`, `expired` or `retracted`.
    state: &'static str,
    /// How often it was claimed.
    attempt: u64,
    lease_expires_at: Option<String>,
    /// In the history: when it expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
}

/// Who acknowledged a message, and when.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Ack)]
pub struct AckView {
    id: String,
    name: String,
    occurred_at: String,
}

/// A message with where to go on from it.
#[derive(Serialize, ToSchema)]
pub struct MessageEnvelope {
    message: MessageView,
    /// Give this to GET …/messages?cursor= to read what comes after.
    next_cursor: Option<String>,
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagePage {
    pub data: Vec<MessageView>,
    pub limit: u64,
    /// Where to go on: give it back as `cursor`.
    pub next_cursor: Option<String>,
    /// True when the store lost something between your cursor and this page (a failover).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
}

/// The part of a message that never changes.
#[derive(Clone, Debug)]
pub struct Stored {
    pub micros: Micros,
    pub head: Head,
    pub content: String,
    /// JSON as it was sent, or empty.
    pub metadata: String,
    /// Those mentioned: id and name in turn, each ended by \31.
    pub mentions: String,
}

/// Who posted a message.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub key: String,
    pub actor_id: String,
    pub actor_name: String,
    pub label: String,
    /// The request that posted it, if that was traced.
    pub post: Option<Box<Mark>>,
}

impl Head {
    /// The stored form. The label is free text and may hold separators; behind it comes where it was posted, if that was traced. A label
    /// that ends like such a mark is followed by an empty one, so that nobody can write a mark.
    pub fn pack(&self) -> String {
        const BETWEEN: &str = "\u{1f}";
        let mut text = [&self.key, BETWEEN, &self.actor_id, BETWEEN, &self.actor_name, BETWEEN, &self.label].concat();
        if let Some(post) = &self.post {
            text.push(SEPARATOR);
            text.push_str(&post.to_text());
        } else if split_mark(&self.label).is_some() {
            text.push(SEPARATOR);
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let (parts, post) = Self::split(text)?;
        let [key, actor_id, actor_name, label] = parts.map(str::to_owned);
        Some(Self { key, actor_id, actor_name, label, post: post.map(Box::new) })
    }

    /// Key, actor id, actor name and label where they stand, and where it was posted.
    fn split(text: &str) -> Option<([&str; 4], Option<Mark>)> {
        let mut parts = text.splitn(4, SEPARATOR);
        let (key, actor_id, actor_name, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (label, post) = split_mark(rest).unwrap_or((rest, None));
        Some(([key, actor_id, actor_name, label], post))
    }
}

/// A label and the mark behind it, which may be empty; None: there is none.
fn split_mark(text: &str) -> Option<(&str, Option<Mark>)> {
    let (label, last) = text.rsplit_once(SEPARATOR)?;
    if last.is_empty() { Some((label, None)) } else { Mark::parse(last).map(|mark| (label, Some(mark))) }
}

impl Stored {
    /// Reads one stream entry: `[id, [name, value, …]]`. Unknown fields are left alone: a newer replica may have written them.
    pub fn parse(entry: &Value) -> Option<Self> {
        let Value::Array(parts) = entry else { return None };
        Self::parse_parts(parts)
    }

    /// The same of the two parts of an entry.
    pub fn parse_parts(parts: &[Value]) -> Option<Self> {
        let [id, Value::Array(fields)] = parts else { return None };
        let micros = Micros(str_of(id)?.strip_suffix("-0")?.parse().ok()?);
        let mut stored = Self { micros, head: Head::default(), content: String::new(), metadata: String::new(), mentions: String::new() };
        for pair in fields.chunks_exact(2) {
            let value = str_of(&pair[1])?;
            match str_of(&pair[0])? {
                "h" => stored.head = Head::parse(value)?,
                "c" => stored.content = value.to_owned(),
                "m" => stored.metadata = value.to_owned(),
                "t" => stored.mentions = value.to_owned(),
                _ => {}
            }
        }
        Some(stored)
    }

    /// How it is shown. `now` is Redis' time, `ttl_us` its channel's.
    ///
    /// # Errors
    /// When what is stored is not what we write.
    pub fn view(self, channel: &ChannelId, record: Option<ClaimRecord>, ttl_us: u64, now: Micros) -> Result<MessageView> {
        let expires = Micros(self.micros.0 + ttl_us);
        let active = now < expires;
        let (is_held, is_done) = record.as_ref().map_or((false, false), |r| (r.is_held(now), r.is_done()));
        let state = match (active, is_held, is_done) {
            (_, _, true) => "done",
            (false, _, _) => "expired",
            (true, true, _) => "claimed",
            (true, false, false) => "open",
        };
        let metadata = if self.metadata.is_empty() { "{}".to_owned() } else { self.metadata };
        let some = |text: String| Some(text).filter(|t| !t.is_empty());
        let mut view = MessageView {
            id: MessageId::new(channel.clone(), self.micros).to_text(),
            channel_id: channel.as_str().to_owned(),
            actor: some(self.head.actor_id).map(|id| ActorRef { id, name: self.head.actor_name }),
            actor_label: some(self.head.label),
            content: self.content,
            metadata: RawValue::from_string(metadata).map_err(|e| ApiError::internal(format!("a message's metadata is not JSON: {e}")))?,
            created_at: self.micros.rfc3339(),
            expires_at: expires.rfc3339(),
            claimed_by: None,
            claimed_by_key_id: None,
            mentions: mentions::parse(&self.mentions),
            claimed_at: None,
            acknowledged_by: Vec::new(),
            active,
            posted_by_key_id: self.head.key,
            state,
            attempt: 0,
            lease_expires_at: None,
            archived_at: None,
        };
        if let Some(record) = record {
            view.attempt = record.attempt;
            view.lease_expires_at = record.lease_until.filter(|_| is_held).map(Micros::rfc3339);
            view.acknowledged_by = record.acks.into_iter().map(AckView::of).collect();
            if is_held || is_done {
                view.claimed_at = Some(record.claimed_at.rfc3339());
                view.claimed_by = Some(ActorRef { id: record.actor_id, name: record.actor_name });
                view.claimed_by_key_id = Some(record.key);
            }
        }
        Ok(view)
    }
}

impl AckView {
    fn of(ack: Ack) -> Self {
        Self { id: ack.actor_id, name: ack.actor_name, occurred_at: ack.at.rfc3339() }
    }
}

impl MessageView {
    /// As it stands in the history.
    pub fn archived(mut self) -> Self {
        self.archived_at = Some(self.expires_at.clone());
        self
    }
}

impl MessageEnvelope {
    pub fn new(message: MessageView) -> Self {
        Self { next_cursor: Some(message.created_at.clone()), message }
    }
}

/// As many messages, from the first on, as fit into a page; at least one. Scripts bound what is read by its raw size; escapes, names and
/// acks make what is shown larger.
pub fn fit(mut messages: Vec<MessageView>) -> Result<Vec<MessageView>> {
    let mut room = MAX_PAGE_BYTES;
    for (i, message) in messages.iter().enumerate() {
        let mut size = Size(1);
        serde_json::to_writer(&mut size, message).map_err(|e| ApiError::internal(e.to_string()))?;
        if size.0 > room && i > 0 {
            messages.truncate(i);
            break;
        }
        room = room.saturating_sub(size.0);
    }
    Ok(messages)
}

/// Counts what is written to it.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The messages of a reply: entries at value `i`, their records at `i + 1`, in the same order.
///
/// # Errors
/// When a script answered something else.
pub fn pairs(reply: &Reply, i: usize) -> Result<Vec<(Stored, Option<ClaimRecord>)>> {
    let (entries, records) = (reply.list(i)?, reply.list(i + 1)?);
    entries
        .iter()
        .enumerate()
        .map(|(n, entry)| {
            let stored = Stored::parse(entry).ok_or_else(|| ApiError::internal("a stream entry is not one of ours"))?;
            let record = ClaimRecord::parse_value(records.get(n))?;
            Ok((stored, record))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_head_is_the_same_after_it_was_stored_whatever_its_label_looks_like() {
        let labels =
            ["", "a person", "a\u{1f}b", "\u{1f}", "a\u{1f}\u{1f}", MARK, &format!("\u{1f}{MARK}"), &format!("a\u{1f}{MARK}\u{1f}")];
        for label in labels {
            for post in [None, Mark::parse(MARK).map(Box::new)] {
                let head = Head { key: "bck_a".into(), actor_id: "act_a".into(), actor_name: "one".into(), label: label.into(), post };
                let read = Head::parse(&head.pack()).expect("a head");
                assert_eq!((&read.label, &read.post, &read.actor_name), (&head.label, &head.post, &head.actor_name), "{label:?}");
            }
        }
        assert_eq!(Head::parse("k\u{1f}a\u{1f}n\u{1f}me").map(|h| (h.label, h.post)), Some(("me".into(), None)), "as it was stored before");
    }
}
