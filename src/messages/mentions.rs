//! Whom a message mentions: actors by id or alias. Only those who may read the channel are; the script that posts decides that.

use std::collections::HashSet;

use futures::future::try_join_all;

use super::SEPARATOR;
use crate::actors::ActorRef;
use crate::actors::resolve::{Known, by_id_or_alias};
use crate::app::App;
use crate::channels::read;
use crate::error::Result;
use crate::http::Caller;
use crate::ids::ChannelId;
use crate::webhooks;

/// Most mentions of one message.
pub const MAX_MENTIONS: usize = 50;

/// The actors that were named, for the script that posts: id, name, key and whether it has a webhook, each part ended by \31. Empty if none was
/// named, `-` if none of them is known. Words that stand for nobody are left out, as are those who may not read the channel.
///
/// Where one of them has a webhook, the channel is in the index of outboxes when this returns.
///
/// # Errors
/// `channel_not_found`, `channel_access_denied`, or Redis trouble.
pub async fn candidates(app: &App, caller: &Caller, channel: &ChannelId, words: &[String]) -> Result<String> {
    if words.is_empty() {
        return Ok(String::new());
    }
    let mut seen = HashSet::new();
    let words = words.iter().map(|word| word.trim()).filter(|word| seen.insert(*word)).take(MAX_MENTIONS);
    let found = try_join_all(words.map(|word| by_id_or_alias(app, word))).await?;
    let mut ids = HashSet::new();
    let known: Vec<Known> = found.into_iter().flatten().filter(|actor| ids.insert(actor.id.clone())).collect();
    if known.is_empty() {
        return Ok("-".to_owned());
    }
    if known.iter().any(|actor| actor.has_webhook) && !webhooks::is_announced(app, channel) {
        read::record(app, caller, channel).await?; // the index takes no channels that are not there
        webhooks::announce(app, channel).await?;
    }
    let parts = known.iter().flat_map(|a| [a.id.as_str(), &a.name, &a.owner, if a.has_webhook { "1" } else { "" }]);
    Ok(parts.flat_map(|part| [part, "\u{1f}"]).collect())
}

/// The stored form, read: id and name in turn, each ended by \31.
pub fn parse(text: &str) -> Vec<ActorRef> {
    let (mut parts, mut mentioned) = (text.split(SEPARATOR), Vec::new());
    while let (Some(id), Some(name)) = (parts.next(), parts.next()) {
        mentioned.push(ActorRef { id: id.to_owned(), name: name.to_owned() });
    }
    mentioned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_read_in_pairs() {
        let read = |text: &str| parse(text).into_iter().map(|a| (a.id, a.name)).collect::<Vec<_>>();
        assert_eq!(read(""), []);
        assert_eq!(read("act_a\u{1f}a b\u{1f}"), [("act_a".into(), "a b".into())]);
        assert_eq!(read("act_a\u{1f}a\u{1f}act_b\u{1f}b\u{1f}"), [("act_a".into(), "a".into()), ("act_b".into(), "b".into())]);
    }
}
