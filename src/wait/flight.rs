//! Single flight: one read serves all waiters of a topic that ask for the same thing.
//!
//! A read serves a waiter only if it began after the waiter came, after its last wake-up, and after the last read that
//! it was served. Hence a request never sees less than what was answered to somebody before it was sent, and nobody
//! gets the same result twice.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    panic::resume_unwind,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::topic::{Subscribed, Topic};

/// Different reads of a topic that are shared at the same time. Who comes with one more reads alone.
const MAX_KEYS: usize = 64;
/// How long a finished read waits for those woken together with its reader: until thousands of tasks have had their
/// turn, not longer.
const KEEP: Duration = Duration::from_secs(2);

type Shared = Arc<dyn Any + Send + Sync>;

/// The running and just finished reads of a topic: at most the latest one a key.
#[derive(Default)]
pub(super) struct Flights(Mutex<Board>);

#[derive(Default)]
struct Board {
    /// How many reads have begun; the number of a read is this count at its beginning.
    begun: u64,
    latest: HashMap<Arc<str>, Flight>,
}

struct Flight {
    number: u64,
    /// The topic's seq when it began.
    seq: u64,
    /// Empty while it runs; empty and without sender if it failed.
    result: watch::Receiver<Option<Shared>>,
}

impl Flight {
    fn finished(&self) -> bool {
        self.result.borrow().is_some()
    }

    fn failed(&self) -> bool {
        self.result.has_changed().is_err() && !self.finished()
    }
}

/// What the reader knows of its own flight.
struct Leader {
    topic: Arc<Topic>,
    key: Arc<str>,
    number: u64,
    seq: u64,
}

impl Leader {
    /// Somebody woken together with us may still come for the result.
    fn is_wanted(&self) -> bool {
        self.topic.handles.load(SeqCst) > 1 && self.topic.seq() == self.seq
    }
}

/// Off the board when it is over, also when it panicked.
impl Drop for Leader {
    fn drop(&mut self) {
        self.topic.flights.forget(&self.key, self.number);
    }
}

/// What a waiter has to do for its read.
enum Seat {
    /// Wait for somebody else's read.
    Join { number: u64, result: watch::Receiver<Option<Shared>> },
    /// Begin it, for all.
    Lead { flight: Leader, result: watch::Sender<Option<Shared>> },
    /// Begin it for nobody else: too many different reads.
    Alone,
}

impl Flights {
    /// Reads that began so far.
    pub fn begun(&self) -> u64 {
        self.0.lock().begun
    }

    /// The topic was woken: what was read before is old.
    pub fn forget_finished(&self) {
        self.0.lock().latest.retain(|_, flight| !flight.finished());
    }

    fn forget(&self, key: &str, number: u64) {
        let mut board = self.0.lock();
        if board.latest.get(key).is_some_and(|flight| flight.number == number) {
            board.latest.remove(key);
        }
    }

    fn seat(&self, key: &str, topic: &Arc<Topic>, need: u64, floor: u64) -> Seat {
        let mut board = self.0.lock();
        let number = board.begun;
        if let Some(flight) = board.latest.get(key) {
            let new_enough = flight.seq >= need && flight.number >= floor;
            if new_enough && !flight.failed() {
                return Seat::Join { number: flight.number, result: flight.result.clone() };
            }
        } else if board.latest.len() >= MAX_KEYS {
            return Seat::Alone;
        }
        let (sender, result) = watch::channel(None);
        let flight = Leader { topic: topic.clone(), key: key.into(), number, seq: topic.seq() };
        board.begun += 1;
        board.latest.insert(flight.key.clone(), Flight { number, seq: flight.seq, result });
        Seat::Lead { flight, result: sender }
    }
}

impl Subscribed {
    /// Runs `read`, or shares the result of an equal one (`key`) that serves as well: one that began at a
    /// [`Subscribed::seq`] of at least `need` and not before this waiter came. `need` is the seq taken before the first
    /// read, then what [`Subscribed::changed`] returned. Everything that the result depends on must be in `key`, except
    /// what changes only with a wake-up. The read goes on if the waiter that began it leaves. A result is kept two seconds,
    /// for the waiters woken with it.
    ///
    /// Panics if `read` does.
    pub async fn shared_read<T, F, Fut>(&self, key: &str, need: u64, read: F) -> Arc<T>
    where
        T: Send + Sync + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        loop {
            match self.topic.flights.seat(key, &self.topic, need, self.floor.load(SeqCst)) {
                Seat::Join { number, mut result } => {
                    // The reader failed: take a seat again, this time perhaps in front.
                    let Some(shared) = outcome(&mut result).await else { continue };
                    self.floor.store(number + 1, SeqCst);
                    match shared.downcast() {
                        Ok(result) => return result,
                        Err(_) => return Arc::new(read().await), // the key of a read of another type: not shareable
                    }
                }
                Seat::Lead { flight, result } => {
                    self.floor.store(flight.number + 1, SeqCst);
                    return lead(flight, result, read).await;
                }
                Seat::Alone => return Arc::new(read().await),
            }
        }
    }
}

async fn outcome(result: &mut watch::Receiver<Option<Shared>>) -> Option<Shared> {
    result.wait_for(Option::is_some).await.ok()?.clone()
}

/// Runs the read in a task of its own, so that it ends for the others also if its waiter leaves.
async fn lead<T, F, Fut>(flight: Leader, result: watch::Sender<Option<Shared>>, read: F) -> Arc<T>
where
    T: Send + Sync + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let (mine, took) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let value = Arc::new(read().await);
        result.send_replace(Some(value.clone()));
        drop(result); // it holds the value too: from here on only the board does
        drop(mine.send(value)); // its own waiter may have left
        if flight.is_wanted() {
            tokio::time::sleep(KEEP).await;
        }
        drop(flight);
    });
    match took.await {
        Ok(value) => value,
        Err(_) => match task.await {
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            _ => std::future::pending().await, // the runtime is shutting down, and this task with it
        },
    }
}
