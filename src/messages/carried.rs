//! A message that came with the wake-up which tells of it (`lua/lib/carry.lua`).

use std::borrow::Cow;

use serde::Deserialize;

use super::{Head, MessageView, Stored};
use crate::ids::{ChannelId, Micros};

/// Number, number of the message before it, access revision, ttl µs, packed head, content, metadata, mentions. Numbers are texts: the
/// script's JSON would round them.
#[derive(Deserialize)]
struct Carried<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    String,
    String,
    String,
);

/// The message, if it is the next one behind `cursor`, and if who may read is what it was when the reader was checked (`rev`). None: the
/// store must be asked. As it was when it was posted: who has claimed it since is another read's business.
pub fn next(payload: &[u8], channel: &ChannelId, cursor: Micros, rev: u64) -> Option<MessageView> {
    let Carried(number, before, access, ttl, head, content, metadata, mentions) = serde_json::from_slice(payload).ok()?;
    let (number, before): (u64, u64) = (number.parse().ok()?, before.parse().ok()?);
    if !(before <= cursor.0 && cursor.0 < number) || access.parse() != Ok(rev) {
        return None;
    }
    let stored = Stored { micros: Micros(number), head: Head::parse(&head)?, content, metadata, mentions };
    stored.view(channel, None, ttl.parse().ok()?, Micros(number)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_came_along_serves_who_has_read_up_to_the_one_before_it() {
        let channel = ChannelId::generate();
        let head = ["bck_a", "act_a", "one", "a \"label\"", ""].join("\u{1f}");
        let payload =
            |before: &str| serde_json::json!(["1760000000000002", before, "7", "60000000", head, "x\n", "{\"a\":1}", ""]).to_string();
        let next = |before: &str, cursor: u64, rev: u64| next(payload(before).as_bytes(), &channel, Micros(cursor), rev);
        let shown = next("1760000000000001", 1_760_000_000_000_001, 7).expect("it is the next one");
        assert_eq!((shown.content.as_str(), shown.state, shown.attempt), ("x\n", "open", 0));
        assert_eq!((shown.created_at.as_str(), shown.active), (Micros(1_760_000_000_000_002).rfc3339().as_str(), true));
        assert_eq!(shown.actor_label.as_deref(), Some("a \"label\""));
        assert!(next("0", 0, 7).is_some(), "the first of all");
        assert!(next("1760000000000001", 1_760_000_000_000_000, 7).is_none(), "one in between would be missed");
        assert!(next("1760000000000001", 1_760_000_000_000_002, 7).is_none(), "it was read already");
        assert!(next("1760000000000001", 1_760_000_000_000_009, 7).is_none(), "the cursor lies ahead");
        assert!(next("1760000000000001", 1_760_000_000_000_001, 8).is_none(), "who may read has changed");
        assert!(super::next(b"[1]", &channel, Micros(1), 7).is_none() && super::next(b"", &channel, Micros(1), 7).is_none());
    }
}
