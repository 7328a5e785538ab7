//! What is to be seen, and until when.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::SLACK;
use super::record::{Entry, Op};

/// A message that lives no longer than this may be gone before a reader has come to it, µs.
const BRIEF: u64 = 60_000_000;

/// What was answered 2xx and was not (perhaps) retracted.
pub fn posts_to_be_seen(history: &[Entry]) -> impl Iterator<Item = &Entry> {
    let retracted: BTreeSet<_> =
        history.iter().filter(|e| e.op == Op::Retract && e.may_have_acted()).filter_map(|e| e.message.as_deref()).collect();
    let seen = move |e: &&Entry| !retracted.contains(e.message.as_deref().unwrap_or_default());
    history.iter().filter(|e| e.op == Op::Post && e.is_ok()).filter(seen)
}

/// What was answered 2xx can be read in the end, on every replica: among the messages, or in the history when it has expired.
pub fn acked_is_kept(history: &[Entry]) -> Vec<String> {
    let missing = unseen(history, &[Op::FinalPage, Op::HistoryPage]);
    missing.map(|(reader, _, what)| format!("{what} was answered 201, {reader} does not find it")).collect()
}

/// Each reader that follows its cursor sees all that was answered 2xx. What expires, only if it had the chance: a page that
/// was asked for after the post, ended before the message did, and had room.
pub fn readers_see_all(history: &[Entry]) -> Vec<String> {
    let mut pages: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for page in history.iter().filter(|e| matches!(e.op, Op::Page | Op::WaitingPage) && e.is_ok()) {
        pages.entry(&page.by).or_default().push(page);
    }
    let had_the_chance = |reader: &str, post: &Entry| {
        let Some(expires) = post.expires.filter(|expires| expires.saturating_sub(post.end) < BRIEF) else { return true };
        let has_room = |page: &&Entry| (page.shown.len() as u64) < page.max;
        pages.get(reader).into_iter().flatten().any(|p| p.start > post.end && p.end + SLACK < expires && has_room(p))
    };
    let missed = unseen(history, &[Op::Page, Op::WaitingPage]).filter(|(reader, post, _)| had_the_chance(reader, post));
    missed.map(|(reader, _, what)| format!("{reader} did not see {what}")).collect()
}

/// Reader, post, and its words: what those who read with these operations did not see.
fn unseen<'a>(history: &'a [Entry], ops: &[Op]) -> impl Iterator<Item = (&'a str, &'a Entry, String)> {
    let mut seen: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for entry in history.iter().filter(|e| ops.contains(&e.op)) {
        seen.entry((&entry.by, &entry.channel)).or_default().extend(entry.shown.iter().map(|m| m.message.as_str()));
    }
    let mut unseen = Vec::new();
    for ((reader, channel), seen) in seen {
        for post in posts_to_be_seen(history).filter(|post| post.channel == channel) {
            let id = post.message.as_deref().unwrap_or_default();
            if !seen.contains(id) {
                unseen.push((reader, post, format!("{id} ({})", post.content.as_deref().unwrap_or_default())));
            }
        }
    }
    unseen.into_iter()
}

/// Nobody is shown or given what has expired, and nothing is history before.
pub fn expired_is_gone(history: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in history {
        for shown in &entry.shown {
            let Some(expires) = shown.expires else { continue };
            let (by, op) = (&entry.by, entry.op);
            if op == Op::HistoryPage && expires > entry.end + SLACK || op != Op::HistoryPage && expires + SLACK < entry.start {
                found.push(format!("{}: shown to {by} in a {op:?}, expires at {expires}", shown.message));
            }
        }
        for grant in entry.grants.iter().filter(|g| g.claimed_at.is_some_and(|at| g.expires.is_some_and(|expires| at > expires))) {
            found.push(format!("{}: given to {} after it had expired", grant.message, entry.by));
        }
    }
    found
}
