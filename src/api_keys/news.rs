//! What a replica reads of keys that change: so that who waits need not ask about its key when it is woken.
//!
//! Who revokes or narrows a key announces that in one stream of the fleet, then does it, within 4 s by the clock of the key's server, then
//! publishes it (`super::change`). A replica may die at any of these points. So each one that holds requests reads the stream a few times a
//! second. A change that is a second old was announced before the last look; if a look begun less than a second ago, and all before it,
//! found no announcement of a key since it was checked, nor shortly before, then it is as it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::cache::LIFE;
use crate::app::App;
use crate::error::Result;
use crate::store::{Reply, scripts};

const READ_EVERY: Duration = Duration::from_millis(400);
/// A look counts for so long from its beginning on: less than [`LIFE`] by what an answer may take.
const FRESH: Duration = Duration::from_millis(900);
/// The change comes at most 4 s after the announcement (`lua/lib/in_time.lua`); the rest is for clocks that run differently.
const SETTLED: Duration = Duration::from_secs(5);
/// How far a first look goes back: to all whose change may come after a check that is as old as [`SETTLED`].
const RECENT_MS: u64 = 10_000;
/// Announcements that are told apart in one look.
const MOST_AT_ONCE: u64 = 500;
/// Keys that are told apart; with one more, all keys count as changed.
const MOST_KEYS: usize = 1024;

/// What this replica knows of changes of keys.
#[derive(Default)]
pub struct KeyNews {
    known: Mutex<Known>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
    /// How many looks have ended, also in vain.
    looks: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// Which history of Redis was read last, and the newest announcement in it; empty: none was read, or none for a while.
    history: String,
    after: String,
    /// When the last look that was answered began; None: none, or nobody has waited since.
    looked_at: Option<Instant>,
    /// Only checks made after this count; None: none do.
    since: Option<Instant>,
    /// The same for single keys.
    changed: HashMap<String, Instant>,
}

impl KeyNews {
    /// Whether a key that was found good by a question asked at that time cannot have changed for longer than [`LIFE`].
    pub fn vouches(&self, key: &str, asked_at: Instant) -> bool {
        self.vouches_at(key, asked_at, Instant::now())
    }

    fn vouches_at(&self, key: &str, asked_at: Instant, now: Instant) -> bool {
        let known = self.known.lock();
        known.is_fresh(now)
            && known.since.is_some_and(|since| asked_at >= since)
            && (known.changed.is_empty() || known.changed.get(key).is_none_or(|since| asked_at >= *since))
    }

    /// This key was changed, by now.
    pub fn told(&self, key: &str) {
        self.known.lock().changed(key, Instant::now());
    }

    /// Messages that tell of changes may have been missed: who was checked before now asks again, at once and not within the second.
    pub fn missed(&self) {
        self.known.lock().all_changed(Instant::now());
    }

    /// Nobody waits, so nothing is read; the next look is a first one again.
    fn rest(&self) {
        let mut known = self.known.lock();
        known.looked_at = None;
        known.after.clear();
    }

    /// What to ask: history, and the newest announcement read of it.
    fn position(&self) -> (String, String) {
        let known = self.known.lock();
        (known.history.clone(), known.after.clone())
    }

    /// Takes in the answer to a look that began then.
    fn take(&self, reply: &Reply, looked_at: Instant) -> Result<()> {
        let (history, newest) = (reply.text(0)?, reply.text(1)?);
        let keys = (2..reply.len()).map(|i| reply.text(i)).collect::<Result<Vec<_>>>()?;
        self.known.lock().read(history, newest, (reply.status() == "announced").then_some(keys), looked_at, Instant::now());
        Ok(())
    }
}

impl Known {
    fn is_fresh(&self, now: Instant) -> bool {
        self.looked_at.is_some_and(|at| now.saturating_duration_since(at) < FRESH)
    }

    /// `keys`: those announced since the last look; None: that cannot be known.
    fn read(&mut self, history: String, newest: String, keys: Option<Vec<String>>, looked_at: Instant, now: Instant) {
        match keys {
            None => self.all_changed(now + SETTLED),
            Some(keys) => {
                if self.after.is_empty() {
                    // Counted back from the end: Redis may have been asked late, by a replica that was held up.
                    self.all_changed(now.checked_sub(SETTLED).unwrap_or(now));
                }
                keys.iter().for_each(|key| self.changed(key, now + SETTLED));
            }
        }
        (self.history, self.after, self.looked_at) = (history, newest, Some(looked_at));
    }

    fn changed(&mut self, key: &str, since: Instant) {
        let entry = self.changed.entry(key.to_owned()).or_insert(since);
        *entry = since.max(*entry);
        if self.changed.len() > MOST_KEYS {
            let newest = self.changed.drain().map(|(_, since)| since).max();
            self.all_changed(newest.unwrap_or(since));
        }
    }

    fn all_changed(&mut self, since: Instant) {
        self.since = self.since.max(Some(since));
    }
}

/// Looks until the replica leaves, while requests are held. A look that fails vouches for nothing: who is woken then asks about its key.
pub fn start(app: &App) {
    let weak = Arc::downgrade(app);
    tokio::spawn(async move {
        loop {
            let Some(app) = weak.upgrade() else { return };
            if app.waiting.all() == 0 {
                app.key_news.rest();
            } else {
                let turn = app.key_news.looking.lock().await;
                look(&app).await;
                drop(turn);
            }
            drop(app);
            tokio::time::sleep(READ_EVERY).await;
        }
    });
}

/// [`KeyNews::vouches`], after a look where the last one is too old, as on a replica that was held up: one for all who are woken together.
pub async fn vouches(app: &App, key: &str, asked_at: Instant) -> bool {
    let news = &app.key_news;
    if news.vouches(key, asked_at) {
        return true;
    }
    if news.known.lock().is_fresh(Instant::now()) {
        return false;
    }
    let looks = news.looks.load(SeqCst);
    let _turn = news.looking.lock().await;
    if news.looks.load(SeqCst) == looks {
        look(app).await;
    }
    news.vouches(key, asked_at)
}

async fn look(app: &App) {
    if let Err(failure) = Box::pin(read(app)).await {
        tracing::debug!(?failure, "announcements of changed keys could not be read: who is woken now asks about its key");
    }
    app.key_news.looks.fetch_add(1, SeqCst);
}

async fn read(app: &App) -> Result<()> {
    let ((history, after), slot) = (app.key_news.position(), app.keys.fleet());
    let looked_at = Instant::now();
    let reply = scripts::KEY_ANNOUNCED
        .on(&slot)
        .arg("history", &history)
        .arg("after", &after)
        .int("recent_ms", RECENT_MS)
        .int("most", MOST_AT_ONCE)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    app.key_news.take(&reply, looked_at)
}

const _: () = assert!(FRESH.as_millis() < LIFE.as_millis() && READ_EVERY.as_millis() * 2 < FRESH.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    /// Times are given in milliseconds before now.
    struct Story {
        news: KeyNews,
        now: Instant,
    }

    impl Story {
        fn begin() -> Self {
            Self { news: KeyNews::default(), now: Instant::now() }
        }

        fn ago(&self, ms: u64) -> Instant {
            self.now.checked_sub(Duration::from_millis(ms)).expect("the machine runs for longer")
        }

        /// A look that began and ended then.
        fn looked(&self, ago: u64, newest: &str, keys: Option<&[&str]>) {
            let keys = keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
            self.news.known.lock().read("h".into(), newest.into(), keys, self.ago(ago), self.ago(ago));
        }

        fn vouches(&self, key: &str, checked: u64) -> bool {
            self.news.vouches_at(key, self.ago(checked), self.now)
        }
    }

    #[test]
    fn a_key_that_was_checked_before_a_quiet_look_is_as_it_was() {
        let story = Story::begin();
        assert!(!story.vouches("k", 0), "nothing was read yet");
        story.looked(30_000, "0-0", Some(&[]));
        assert!(!story.vouches("k", 20_000), "what was read is old");
        story.looked(500, "0-0", Some(&[]));
        assert!(story.vouches("k", 20_000) && story.vouches("k", 0));
        assert!(story.vouches("k", 34_000), "the first look went back far enough for this one");
        assert!(!story.vouches("k", 36_000), "and not for this one");
        let later = story.now + Duration::from_millis(450);
        assert!(!story.news.vouches_at("k", story.ago(20_000), later), "a look counts for less than a second");
    }

    #[test]
    fn an_announced_key_is_asked_about_until_its_change_must_have_come() {
        let story = Story::begin();
        story.looked(30_000, "0-0", Some(&[]));
        story.looked(10_000, "1-0", Some(&["k"]));
        story.looked(0, "1-0", Some(&[]));
        assert!(!story.vouches("k", 20_000), "checked before the announcement");
        assert!(!story.vouches("k", 6_000), "checked when the change could still come");
        assert!(story.vouches("k", 4_000), "checked when it had come, or never will");
        assert!(story.vouches("other", 20_000));
        story.news.told("other");
        assert!(!story.vouches("other", 0) && story.vouches("third", 20_000));
        story.news.told("k");
        story.looked(0, "2-0", Some(&["k"]));
        assert!(!story.vouches("k", 0), "it may change once more");
    }

    #[test]
    fn where_announcements_were_lost_all_who_were_checked_before_ask_again() {
        let story = Story::begin();
        story.looked(30_000, "0-0", Some(&[]));
        story.looked(10_000, "7-0", None);
        story.looked(0, "7-0", Some(&[]));
        assert!(!story.vouches("k", 20_000) && !story.vouches("k", 6_000) && story.vouches("k", 4_000));
    }

    #[test]
    fn after_a_rest_only_what_the_next_look_covers_counts() {
        let story = Story::begin();
        story.looked(30_000, "7-0", Some(&[]));
        story.news.rest();
        assert!(!story.vouches("k", 0));
        assert_eq!(story.news.position(), ("h".to_owned(), String::new()), "recent ones are asked for, of the same history");
        story.looked(0, "9-0", Some(&[]));
        assert!(!story.vouches("k", 20_000) && story.vouches("k", 4_000));
    }

    #[test]
    fn a_first_look_that_took_long_reaches_back_from_its_end() {
        let story = Story::begin();
        story.news.known.lock().read("h".into(), "0-0".into(), Some(vec![]), story.ago(20_000), story.now);
        story.looked(0, "0-0", Some(&[]));
        assert!(!story.vouches("k", 6_000) && story.vouches("k", 4_000), "Redis may have been asked just now");
    }

    #[test]
    fn more_keys_than_are_told_apart_count_as_all_keys() {
        let story = Story::begin();
        story.looked(30_000, "0-0", Some(&[]));
        story.looked(0, "1-0", Some(&[]));
        for n in 0..MOST_KEYS {
            story.news.told(&format!("k{n}"));
        }
        assert!(story.vouches("k", 20_000) && !story.vouches("k7", 20_000));
        story.news.told("one more");
        assert!(!story.vouches("k", 20_000) && !story.vouches("k7", 20_000));
        assert!(story.news.known.lock().changed.is_empty());
    }
}
