//! What is in a room's log, and who is in the room, as answers show it.

use deadpool_redis::redis::Value;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::ids::Micros;
use crate::store::Reply;
use crate::store::reply::text_of;

/// One entry of a room's log.
#[derive(Debug, Serialize)]
pub struct Message {
    pub index: u64,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Sealed; what it says, only the participants know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Unix milliseconds.
    pub timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Message {
    /// A stream entry: its id is the index + 1.
    pub fn read(entry: &Value) -> Result<Self, ApiError> {
        Self::of_parts(entry).ok_or_else(|| ApiError::internal("an entry of a room's log is not of our form"))
    }

    fn of_parts(entry: &Value) -> Option<Self> {
        let Value::Array(parts) = entry else { return None };
        let [id, Value::Array(fields)] = parts.as_slice() else { return None };
        let field = |name: &str| fields.chunks_exact(2).find(|f| text_of(&f[0]).as_deref() == Some(name)).and_then(|f| text_of(&f[1]));
        let number: u64 = text_of(id)?.split('-').next()?.parse().ok()?;
        let kind = field("k")?;
        let text = (kind == "message").then(|| field("x")).flatten();
        Some(Self { index: number.checked_sub(1)?, kind, from: field("f"), text, timestamp: field("a")?.parse().ok()?, reason: None })
    }

    /// The last word of a room that has ended.
    pub fn last_word(index: u64, reason: &str, now: Micros) -> Self {
        Self { index, kind: "system".into(), from: None, text: None, timestamp: now.0 / 1000, reason: Some(format!("evicted_{reason}")) }
    }
}

/// Somebody in a room.
#[derive(Debug, Serialize)]
pub struct Participant {
    pub name: String,
    /// Fingerprint of the key it has, as it said.
    pub key_fp: Option<String>,
    pub last_seen_s: u64,
    #[serde(skip)]
    place: u64,
}

/// The participants of value `i` of a reply, in the order in which they joined.
pub fn roster(reply: &Reply, i: usize) -> Result<Vec<Participant>, ApiError> {
    let records = reply.pairs(i)?;
    in_order(records.iter().map(|(_, record)| record.as_str()), reply.now())
        .ok_or_else(|| ApiError::internal("a participant's record is not of our form"))
}

fn in_order<'a>(records: impl Iterator<Item = &'a str>, now: Micros) -> Option<Vec<Participant>> {
    let mut all = records.map(|record| participant(record, now)).collect::<Option<Vec<_>>>()?;
    all.sort_by_key(|p| p.place);
    Some(all)
}

/// An entry that came with the wake-up which tells of it (`lua/lib/room_append.lua`): index, kind, unix ms, from, text, Redis' time, and who is
/// in the room, as ids and records in turn. Numbers are texts.
#[derive(Deserialize)]
struct Carried(String, String, String, String, String, String, Vec<String>);

/// That entry and the roster, if it is the one of index `since` and this participant is in the room. None: the room must be asked.
pub fn carried(payload: &[u8], since: u64, participant: &str) -> Option<(Message, Vec<Participant>)> {
    let Carried(index, kind, at, from, text, now, people) = serde_json::from_slice(payload).ok()?;
    if index.parse() != Ok(since) || !people.chunks_exact(2).any(|one| one[0] == participant) {
        return None;
    }
    let text = (kind == "message").then_some(text);
    let message = Message { index: since, kind, from: Some(from), text, timestamp: at.parse().ok()?, reason: None };
    let roster = in_order(people.chunks_exact(2).map(|one| one[1].as_str()), Micros(now.parse().ok()?))?;
    Some((message, roster))
}

fn participant(record: &str, now: Micros) -> Option<Participant> {
    let mut parts = record.splitn(6, '\u{1f}');
    let place = parts.next()?.parse().ok()?;
    let noticed: u64 = parts.next()?.parse().ok()?;
    let parked_until: u64 = parts.next()?.parse().ok()?;
    let _given: u64 = parts.next()?.parse().ok()?;
    let key_fp = parts.next().filter(|fp| !fp.is_empty()).map(str::to_owned);
    // Who waits is there.
    let last_seen = noticed.max(parked_until.min(now.0));
    Some(Participant { name: parts.next()?.to_owned(), key_fp, last_seen_s: now.0.saturating_sub(last_seen) / 1_000_000, place })
}

#[cfg(test)]
mod tests {
    use super::participant;
    use crate::ids::Micros;

    #[test]
    fn who_waits_is_there_and_who_went_silent_was_there_when_last_noticed() {
        let seen = |record: &str| participant(record, Micros(100_000_000)).map(|p| (p.name, p.key_fp, p.last_seen_s));
        assert_eq!(seen("0\u{1f}40000000\u{1f}0\u{1f}7\u{1f}\u{1f}a b"), Some(("a b".into(), None, 60)));
        assert_eq!(seen("1\u{1f}40000000\u{1f}130000000\u{1f}7\u{1f}ab12ab12\u{1f}x"), Some(("x".into(), Some("ab12ab12".into()), 0)));
        assert_eq!(seen("1\u{1f}40000000\u{1f}70000000\u{1f}7\u{1f}\u{1f}x"), Some(("x".into(), None, 30)));
        assert_eq!(seen("nonsense"), None);
    }
}
