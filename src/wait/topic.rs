//! One topic: how its wake-ups reach those who wait, and the handle that a waiter holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{Instant, sleep_until},
};

use super::{
    flight::Flights,
    hub::{FixedEvent, Hub, Listener},
};

/// A lease that "has ended" by a rounding error would otherwise be asked for in a tight loop.
const SHORTEST_ALARM: Duration = Duration::from_millis(5);
/// Longer than any lease; keeps the addition to the clock from overflowing.
const LONGEST_ALARM: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whom a wake-up is for. List waiters are woken by all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// List waiters only.
    Readers,
    /// One message more: one claim waiter is enough for it.
    One,
    /// Anything may have changed (channel deleted, access changed, hints lost): every claim waiter looks.
    All,
}

/// A topic that is subscribed, about to be, or lingering. Lives in the hub's map; one instance a name at any time.
pub(super) struct Topic {
    pub name: Arc<str>,
    /// Redis has confirmed, and we have not left since. Turned on under `link`, off under `link` and the lock of the
    /// hub's map.
    pub subscribed: AtomicBool,
    /// Held across SSUBSCRIBE and SUNSUBSCRIBE: one of them at a time for a topic, and whoever comes second waits for
    /// the first one's outcome.
    pub link: tokio::sync::Mutex<()>,
    /// Living [`Subscribed`] handles. Changed under the lock of the hub's map only.
    pub handles: AtomicUsize,
    pub flights: Flights,
    /// Nothing will come on it any more: it is left without lingering.
    over: AtomicBool,
    /// Callbacks of a topic that is kept for ever.
    listeners: RwLock<Vec<Listener>>,
    seq: AtomicU64,
    /// What the latest wake-up carried, and its seq.
    carried: Mutex<Option<(u64, Arc<[u8]>)>>,
    /// How many of the wakes were [`Wake::All`].
    all: AtomicU64,
    readers: Notify,
    /// Rung by [`Wake::All`] only.
    everybody: Notify,
    turns: Notify,
    alarm: Mutex<Option<Alarm>>,
}

struct Alarm {
    at: Instant,
    task: AbortHandle,
}

impl Topic {
    pub fn new(name: Arc<str>) -> Self {
        Self {
            name,
            subscribed: AtomicBool::new(false),
            link: tokio::sync::Mutex::new(()),
            handles: AtomicUsize::new(0),
            flights: Flights::default(),
            over: AtomicBool::new(false),
            listeners: RwLock::default(),
            seq: AtomicU64::new(0),
            carried: Mutex::new(None),
            all: AtomicU64::new(0),
            readers: Notify::new(),
            everybody: Notify::new(),
            turns: Notify::new(),
            alarm: Mutex::new(None),
        }
    }

    pub fn seq(&self) -> u64 {
        self.seq.load(SeqCst)
    }

    pub fn is_subscribed(&self) -> bool {
        self.subscribed.load(SeqCst)
    }

    /// Nobody will ask for it again.
    pub fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Kept for ever, with or without waiters.
    pub fn is_fixed(&self) -> bool {
        !self.listeners.read().is_empty()
    }

    /// Must not be left. Changes to true only under the lock of the hub's map.
    pub fn is_wanted(&self) -> bool {
        self.handles.load(SeqCst) > 0 || self.is_fixed()
    }

    pub fn listen(&self, listener: Listener) {
        self.listeners.write().push(listener);
    }

    pub fn tell(&self, event: &FixedEvent) {
        for listener in self.listeners.read().iter() {
            listener(event.clone());
        }
    }

    /// A message came from Redis. `more` is for who claims; for those who read, what there is follows in a message of its own.
    pub fn deliver(&self, payload: Vec<u8>) {
        if self.is_fixed() {
            self.tell(&FixedEvent::Message(String::from_utf8_lossy(&payload).into_owned()));
        }
        match payload.as_slice() {
            b"all" => self.wake(Wake::All),
            b"more" => self.turns.notify_one(),
            [b'[', ..] => self.wake_with(Wake::Readers, Some(payload.into())),
            _ => self.wake(Wake::One),
        }
    }

    /// Nobody is left who could read it.
    pub fn forget_carried(&self) {
        *self.carried.lock() = None;
    }

    /// Messages may have been missed.
    pub fn lost(&self) {
        self.tell(&FixedEvent::Lost);
        self.wake(Wake::All);
    }

    pub fn wake(&self, whom: Wake) {
        self.wake_with(whom, None);
    }

    fn wake_with(&self, whom: Wake, carries: Option<Arc<[u8]>>) {
        // The counters first: who is on the way to sleep looks at them after it has lined up.
        if whom == Wake::All {
            self.all.fetch_add(1, SeqCst);
        }
        {
            let mut carried = self.carried.lock();
            let seq = self.seq.fetch_add(1, SeqCst) + 1;
            *carried = carries.map(|what| (seq, what));
        }
        self.flights.forget_finished();
        self.readers.notify_waiters();
        match whom {
            Wake::Readers => {}
            Wake::One => self.turns.notify_one(),
            Wake::All => {
                self.everybody.notify_waiters();
                self.turns.notify_waiters();
            }
        }
    }

    fn set_alarm(self: &Arc<Self>, after: Duration) {
        let at = Instant::now() + after.clamp(SHORTEST_ALARM, LONGEST_ALARM);
        let mut alarm = self.alarm.lock();
        if alarm.as_ref().is_some_and(|set| set.at <= at) {
            return;
        }
        let topic = Arc::downgrade(self); // the alarm must not keep alive a topic that everybody has left
        let task = tokio::spawn(async move {
            sleep_until(at).await;
            if let Some(topic) = topic.upgrade() {
                topic.ring(at);
            }
        });
        if let Some(later) = alarm.replace(Alarm { at, task: task.abort_handle() }) {
            later.task.abort();
        }
    }

    fn ring(&self, at: Instant) {
        {
            let mut alarm = self.alarm.lock();
            // Replaced by an earlier one in the moment in which it went off: that one rings.
            if alarm.as_ref().is_none_or(|set| set.at != at) {
                return;
            }
            *alarm = None;
        }
        self.wake(Wake::One);
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm.get_mut().take() {
            alarm.task.abort();
        }
    }
}

/// A waiter's place at a topic; one a waiter. While it lives the topic stays subscribed. Dropping it is leaving.
pub struct Subscribed {
    pub(super) hub: Arc<Hub>,
    pub(super) topic: Arc<Topic>,
    /// A shared read that began before this one is not for us: older than we are, or we have had it.
    pub(super) floor: AtomicU64,
    all_seen: AtomicU64,
}

impl Subscribed {
    /// The caller has counted it in already.
    pub(super) fn new(hub: Arc<Hub>, topic: Arc<Topic>) -> Self {
        let place = Self { hub, topic, floor: AtomicU64::new(0), all_seen: AtomicU64::new(0) };
        place.begin();
        place
    }

    /// From now on the waiter is here: reads begun earlier do not serve it, wakes before this moment are not its own.
    pub(super) fn begin(&self) {
        self.floor.store(self.topic.flights.begun(), SeqCst);
        self.all_seen.store(self.topic.all.load(SeqCst), SeqCst);
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.topic.name
    }

    /// How often this topic was woken so far. Take it before reading; it only compares with other values from the same
    /// handle.
    pub fn seq(&self) -> u64 {
        self.topic.seq()
    }

    /// Resolves with the current [`Subscribed::seq`] as soon as that is above `seen`. Wakes all who ask. Dropping the
    /// future costs nothing.
    pub async fn changed(&self, seen: u64) -> u64 {
        loop {
            let woken = self.topic.readers.notified(); // in line from here on, so the look below cannot be too early
            let now = self.topic.seq();
            if now > seen {
                return now;
            }
            woken.await;
        }
    }

    /// What the wake-up carried that made [`Subscribed::seq`] this; None where it carried nothing, or another one came since.
    pub fn carried(&self, seq: u64) -> Option<Arc<[u8]>> {
        self.topic.carried.lock().as_ref().filter(|(of, _)| *of == seq).map(|(_, what)| what.clone())
    }

    /// How often everybody at this topic was woken so far, in the sense of [`Subscribed::seq`].
    pub fn all_seq(&self) -> u64 {
        self.topic.all.load(SeqCst)
    }

    /// As [`Subscribed::changed`], for who cares only for what concerns everybody: the channel was deleted, access changed, hints were
    /// lost. A post does not wake it.
    pub async fn changed_for_all(&self, seen: u64) -> u64 {
        loop {
            let woken = self.topic.everybody.notified(); // in line from here on, as above
            let now = self.all_seq();
            if now > seen {
                return now;
            }
            woken.await;
        }
    }

    /// Nothing will come on this topic any more, so it does not linger: it would take the place of one that somebody waits on.
    pub fn mark_over(&self) {
        self.topic.over.store(true, SeqCst);
    }

    /// Waits for the turn to try a claim. One waiter a wake-up, the longest waiting first; wake-ups while nobody waits
    /// count as one, since a successful claim brings on the next waiter. `all` brings everybody. Dropped before it
    /// resolves, the turn goes to the next waiter.
    pub async fn claim_turn(&self) -> Turn {
        let turn = self.topic.turns.notified(); // in line from here on, so the look below cannot be too early
        let all = self.topic.all.load(SeqCst);
        if self.all_seen.swap(all, SeqCst) >= all {
            turn.await;
            // Counted as seen whether it was for one or for all, since the claim that follows begins now.
            self.all_seen.store(self.topic.all.load(SeqCst), SeqCst);
        }
        Turn { topic: Some(self.topic.clone()) }
    }

    /// Lets the next claim waiter try: after a claim that succeeded without a [`Turn`] (there may be more where that
    /// came from).
    pub fn pass_turn(&self) {
        self.topic.turns.notify_one();
    }

    /// The earliest lease of this topic ends in `after` (5 ms to 7 days): wakes the list waiters and one claim waiter
    /// then. A later end than the one already noted is ignored, an earlier one replaces it. Rings once; the read that
    /// follows says when the next one ends.
    pub fn wake_after(&self, after: Duration) {
        self.topic.set_alarm(after);
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.hub.leave(&self.topic);
    }
}

/// The right to try one claim. Dropped, it goes to the next waiter: right after a success, an error, or a client that
/// hung up.
pub struct Turn {
    topic: Option<Arc<Topic>>,
}

impl Turn {
    /// There was nothing to claim, so there is nothing for the next waiter either.
    pub fn spend(mut self) {
        self.topic = None;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(topic) = self.topic.take() {
            topic.turns.notify_one();
        }
    }
}
