//! Which topics the hub has, and which of them have had nobody for how long.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use tokio::time::Instant;

use super::{hub::Tally, topic::Topic};

/// What the hub's lock protects.
#[derive(Default)]
pub(super) struct Topics {
    pub by_name: HashMap<Arc<str>, Place>,
    /// Topics without waiters, by the time at which to look at them again. At most one entry a topic.
    idle: VecDeque<(Instant, Arc<str>)>,
}

pub(super) struct Place {
    pub topic: Arc<Topic>,
    idle_since: Instant,
    /// Has an entry in `idle`.
    queued: bool,
}

impl Topics {
    pub fn place(&mut self, name: &str, tally: &Tally) -> Arc<Topic> {
        if let Some(place) = self.by_name.get(name) {
            return place.topic.clone();
        }
        let name: Arc<str> = name.into();
        let topic = Arc::new(Topic::new(name.clone()));
        self.by_name.insert(name, Place { topic: topic.clone(), idle_since: Instant::now(), queued: false });
        tally.entered.fetch_add(1, SeqCst);
        topic
    }

    /// The topic has nobody any more: to be looked at again after `linger`, which is the same at every call.
    pub fn rest(&mut self, name: &Arc<str>, linger: Duration) {
        let Some(place) = self.by_name.get_mut(name) else { return };
        let now = Instant::now();
        place.idle_since = now;
        if !place.queued {
            place.queued = true;
            self.idle.push_back((now + linger, name.clone()));
        }
    }

    /// As if the topic had had nobody for `linger` already.
    pub fn end(&mut self, name: &Arc<str>, linger: Duration) {
        let Some(place) = self.by_name.get_mut(name) else { return };
        let now = Instant::now();
        place.idle_since = now.checked_sub(linger).unwrap_or(now);
        if !place.queued {
            place.queued = true;
            self.idle.push_front((now, name.clone())); // before all that linger
        }
    }

    /// Takes out those that have had nobody for `linger`.
    pub fn take_due(&mut self, now: Instant, linger: Duration) -> Vec<Arc<Topic>> {
        let mut due = Vec::new();
        while self.idle.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.idle.pop_front() else { break };
            let Some(place) = self.by_name.get_mut(&name) else { continue };
            let rested = place.idle_since + linger;
            if place.topic.is_wanted() {
                place.queued = false;
            } else if rested > now {
                self.idle.push_back((rested, name)); // somebody was here in the meantime
            } else {
                place.queued = false;
                due.push(place.topic.clone());
            }
        }
        due
    }
}
