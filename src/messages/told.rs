//! A message as JSON text, out of what the store answered: what workers send. One that nobody has claimed is written as it is read, without a view in
//! between; it is the text that the view would give.

use std::fmt::Write as _;

use deadpool_redis::redis::Value;

use super::{Head, SEPARATOR, Stored};
use crate::claims::record::ClaimRecord;
use crate::error::{ApiError, Result};
use crate::ids::{ChannelId, MessageId, Micros};
use crate::store::reply::str_of;
use crate::telemetry::Mark;

/// What is around the texts of a message, about.
const AROUND: usize = 800;

/// Appends the message of one stream entry. Where it was posted, if that was traced. `now` is Redis' time, `ttl_us` its channel's.
///
/// # Errors
/// When what is stored is not what we write.
pub fn tell(
    entry: &Value,
    record: Option<ClaimRecord>,
    channel: &ChannelId,
    ttl_us: u64,
    now: Micros,
    text: &mut String,
) -> Result<Option<Mark>> {
    if record.is_none()
        && let Some(message) = Unclaimed::parse(entry)
    {
        message.write(channel, ttl_us, now, text);
        return Ok(message.post);
    }
    let mut stored = Stored::parse(entry).ok_or_else(|| ApiError::internal("a stream entry is not one of ours"))?;
    let post = stored.head.post.take();
    let view = stored.view(channel, record, ttl_us, now)?;
    text.push_str(&serde_json::to_string(&view).map_err(|e| ApiError::internal(e.to_string()))?);
    Ok(post.map(|mark| *mark))
}

/// What a stream entry says of a message, where it stands.
struct Unclaimed<'a> {
    micros: Micros,
    key: &'a str,
    actor_id: &'a str,
    actor_name: &'a str,
    label: &'a str,
    post: Option<Mark>,
    content: &'a str,
    metadata: &'a str,
    mentions: &'a str,
}

impl<'a> Unclaimed<'a> {
    /// As [`Stored::parse`].
    fn parse(entry: &'a Value) -> Option<Self> {
        let Value::Array(parts) = entry else { return None };
        let [id, Value::Array(fields)] = parts.as_slice() else { return None };
        let micros = Micros(str_of(id)?.strip_suffix("-0")?.parse().ok()?);
        let (mut head, mut content, mut metadata, mut mentions) = (None, "", "", "");
        for pair in fields.chunks_exact(2) {
            let value = str_of(&pair[1])?;
            match str_of(&pair[0])? {
                "h" => head = Some(Head::split(value)?),
                "c" => content = value,
                "m" => metadata = value,
                "t" => mentions = value,
                _ => {}
            }
        }
        let ([key, actor_id, actor_name, label], post) = head?;
        Some(Self { micros, key, actor_id, actor_name, label, post, content, metadata, mentions })
    }

    fn write(&self, channel: &ChannelId, ttl_us: u64, now: Micros, text: &mut String) {
        let expires = Micros(self.micros.0 + ttl_us);
        text.reserve(self.content.len() + self.metadata.len() + AROUND);
        let _ = write!(text, r#"{{"id":"{}","channel_id":"{}","actor":"#, MessageId::new(channel.clone(), self.micros), channel.as_str());
        match self.actor_id {
            "" => text.push_str("null"),
            id => actor(id, self.actor_name, text),
        }
        text.push_str(r#","actor_label":"#);
        match self.label {
            "" => text.push_str("null"),
            label => string(label, text),
        }
        text.push_str(r#","content":"#);
        string(self.content, text);
        text.push_str(r#","metadata":"#);
        text.push_str(if self.metadata.is_empty() { "{}" } else { self.metadata });
        text.push_str(r#","created_at":""#);
        text.push_str(&self.micros.rfc3339());
        text.push_str(r#"","expires_at":""#);
        text.push_str(&expires.rfc3339());
        text.push_str(r#"","claimed_by":null,"claimed_by_key_id":null,"mentions":["#);
        let mut names = self.mentions.split(SEPARATOR);
        let mut is_first = true;
        while let (Some(id), Some(name)) = (names.next(), names.next()) {
            if !is_first {
                text.push(',');
            }
            is_first = false;
            actor(id, name, text);
        }
        let (active, state) = if now < expires { ("true", "open") } else { ("false", "expired") };
        text.push_str(r#"],"claimed_at":null,"acknowledged_by":[],"active":"#);
        text.push_str(active);
        text.push_str(r#","posted_by_key_id":"#);
        string(self.key, text);
        text.push_str(r#","state":""#);
        text.push_str(state);
        text.push_str(r#"","attempt":0,"lease_expires_at":null}"#);
    }
}

fn actor(id: &str, name: &str, text: &mut String) {
    text.push_str(r#"{"id":"#);
    string(id, text);
    text.push_str(r#","name":"#);
    string(name, text);
    text.push('}');
}

/// Most texts have nothing to escape, which is seen many bytes at a time.
fn string(value: &str, text: &mut String) {
    let is_plain = !value.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if is_plain {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        let _ = write!(text, "{}", serde_json::Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(fields: &[(&str, &str)]) -> Value {
        let text = |t: &str| Value::BulkString(t.as_bytes().to_vec());
        Value::Array(vec![text("1760000000123456-0"), Value::Array(fields.iter().flat_map(|(n, v)| [text(n), text(v)]).collect())])
    }

    fn told(entry: &Value, now: u64) -> String {
        let mut text = String::new();
        tell(entry, None, &channel(), 1_000_000, Micros(now), &mut text).expect("one of ours");
        text
    }

    fn viewed(entry: &Value, now: u64) -> String {
        let view = Stored::parse(entry).expect("one of ours").view(&channel(), None, 1_000_000, Micros(now)).expect("a view");
        serde_json::to_string(&view).expect("JSON")
    }

    fn channel() -> ChannelId {
        ChannelId::parse("ch_aaaaaaaaaaaaaaaaaaaa").expect("an id")
    }

    const TRACED: &str = "bck_k\u{1f}\u{1f}\u{1f}\u{1f}00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_message_is_told_as_it_is_shown() {
        for head in ["bck_k\u{1f}act_a\u{1f}one \"1\"\u{1f}", "bck_k\u{1f}\u{1f}\u{1f}a label\u{1f} of two", TRACED] {
            for mentions in ["", "act_a\u{1f}a\u{1f}", "act_a\u{1f}a\u{1f}act_b\u{1f}b \\ c\u{1f}"] {
                for metadata in ["", r#"{"a": [1, "ü"]}"#] {
                    let entry = entry(&[("h", head), ("c", "a\nb \"c\" \u{7f} ü"), ("m", metadata), ("t", mentions), ("later", "?")]);
                    for now in [1_760_000_000_123_457, 1_760_000_001_123_456] {
                        assert_eq!(told(&entry, now), viewed(&entry, now));
                    }
                }
            }
        }
    }

    #[test]
    fn where_it_was_posted_is_told_and_what_is_claimed_is_shown_so() {
        let entry = entry(&[("h", TRACED), ("c", "x"), ("m", "")]);
        let mut text = String::new();
        let post = tell(&entry, None, &channel(), 1, Micros(1), &mut text).expect("one of ours");
        assert_eq!(post.map(Mark::to_text).as_deref(), TRACED.rsplit('\u{1f}').next());
        let record = ClaimRecord::parse("h\u{1f}1\u{1f}0\u{1f}s\u{1f}bck_h\u{1f}act_h\u{1f}holder\u{1f}1\u{1f}1\u{1f}").expect("a record");
        let mut text = String::new();
        let claimed = tell(&entry, Some(record), &channel(), 1_000_000, Micros(1), &mut text).expect("one of ours");
        assert!(claimed == post && text.contains(r#""state":"claimed""#) && text.contains(r#""claimed_by_key_id":"bck_h""#), "{text}");
        assert!(tell(&Value::Nil, None, &channel(), 1, Micros(1), &mut text).is_err());
    }

    proptest! {
        #[test]
        fn any_content_is_told_as_it_is_shown(content in "\\PC*|(?s).*", name in "\\PC*") {
            let head = format!("bck_k\u{1f}act_a\u{1f}{}\u{1f}", name.replace('\u{1f}', ""));
            let entry = entry(&[("h", &head), ("c", &content), ("m", "{}")]);
            prop_assert_eq!(told(&entry, 7), viewed(&entry, 7));
        }
    }
}
