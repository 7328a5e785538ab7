//! One slow or dead target costs nobody else: each host has so many places, few that wait for one, and a breaker.
//!
//! What finds no place goes back to the queue, for a moment at which a place should be free: who waits in memory would be in the way of
//! deliveries to others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Silent failures in a row that open the breaker.
const BREAK_AFTER: u32 = 5;
const OPEN_FIRST: Duration = Duration::from_secs(30);
const OPEN_LONGEST: Duration = Duration::from_secs(300);
/// Deliveries that wait in memory for a place at one host, for each place, and how long.
const WAITING_PER_PLACE: usize = 16;
const WAIT: Duration = Duration::from_millis(if cfg!(test) { 5000 } else { 250 });
/// More than that may wait where tries are so quick that the last one has its place within this time: to put it off would cost more.
const LINE: Duration = Duration::from_millis(100);
/// Where no try began or ended for so long, waiting for a place is of no use.
const STUCK: Duration = Duration::from_millis(250);
/// Longest time that a delivery is put off at once.
const PUT_OFF_LONGEST: Duration = Duration::from_secs(60);
/// Hosts that are remembered; beyond it those that nothing is sent to are forgotten.
const MAX_HOSTS: usize = 10_000;

/// The gates of all hosts.
pub struct Gates {
    places: usize,
    waiting: usize,
    hosts: Mutex<HashMap<String, Arc<Gate>>>,
}

/// The way to one host and port.
pub struct Gate {
    places: Arc<Semaphore>,
    number: usize,
    /// Most that wait in memory.
    may_wait: usize,
    state: Mutex<State>,
}

struct State {
    waiting: usize,
    /// Silent failures in a row.
    failures: u32,
    open_until: Option<Instant>,
    /// One try is on its way to find out whether the host is back.
    probing: bool,
    /// How long a try takes, smoothed.
    usual: Duration,
    /// When a try began or ended last.
    moved: Instant,
    /// When the next delivery that is put off should find a place.
    next: Instant,
}

/// The right to send to a host. Give it back with [`Pass::ended`].
pub struct Pass {
    gate: Arc<Gate>,
    probe: bool,
    /// Given back when dropped.
    _place: OwnedSemaphorePermit,
}

/// No place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// All places are taken.
    Busy(Duration),
    /// The host has not answered for a while.
    Open(Duration),
}

impl Gates {
    /// `places`: tries at one host at the same time. `room`: deliveries that the worker holds; one host may have an eighth of it waiting.
    pub fn new(places: usize, room: usize) -> Self {
        Self { places, waiting: (places * WAITING_PER_PLACE).min(room / 8), hosts: Mutex::default() }
    }

    /// The gate of a host and port.
    pub fn of(&self, host: &str) -> Arc<Gate> {
        let mut hosts = self.hosts.lock();
        if let Some(gate) = hosts.get(host) {
            return gate.clone();
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.retain(|_, gate| Arc::strong_count(gate) > 1 || gate.state.lock().open_until.is_some());
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.clear(); // those in use live on with who uses them; only what was learnt is lost
        }
        let gate = Arc::new(Gate::new(self.places, self.waiting));
        hosts.insert(host.to_owned(), gate.clone());
        gate
    }

    /// How many hosts have their breaker closed, open, and half open.
    pub fn breakers(&self) -> [usize; 3] {
        let now = Instant::now();
        let mut all = [0; 3];
        for gate in self.hosts.lock().values() {
            let state = gate.state.lock();
            let of = match state.open_until {
                _ if state.failures < BREAK_AFTER => 0,
                Some(until) if until > now => 1,
                _ => 2,
            };
            all[of] += 1;
        }
        all
    }
}

impl Gate {
    fn new(number: usize, may_wait: usize) -> Self {
        let now = Instant::now();
        let state =
            State { waiting: 0, failures: 0, open_until: None, probing: false, usual: Duration::from_millis(50), moved: now, next: now };
        Self { places: Arc::new(Semaphore::new(number)), number, may_wait, state: Mutex::new(state) }
    }

    /// A place, at once or after a quarter of a second at most. May be dropped at any await.
    ///
    /// # Errors
    /// For how long to put it off.
    pub async fn enter(self: &Arc<Self>) -> Result<Pass, PutOff> {
        let probe = self.may_pass()?;
        let probe = ProbeEnds { gate: self, probe };
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                let place = self.wait().await?;
                // Meanwhile the host may have fallen silent.
                if !probe.probe {
                    self.state.lock().is_closed(self.number)?;
                }
                place
            }
        };
        self.state.lock().moved = Instant::now();
        Ok(Pass { gate: self.clone(), probe: probe.keep(), _place: place })
    }

    /// Whether the breaker lets it through, and whether as the one that finds out.
    fn may_pass(&self) -> Result<bool, PutOff> {
        let mut state = self.state.lock();
        state.is_closed(self.number)?;
        if state.failures < BREAK_AFTER {
            return Ok(false);
        }
        if state.probing {
            return Err(PutOff::Open(Duration::from_secs(5)));
        }
        state.probing = true;
        Ok(true)
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, PutOff> {
        let of_use = {
            let state = self.state.lock();
            (state.waiting < self.may_wait || state.waits(self.number) < LINE) && state.moved.elapsed() < STUCK
        };
        if !of_use {
            return Err(self.busy());
        }
        let _waiting = Waiting::begin(&self.state);
        match timeout(WAIT, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(self.busy()),
        }
    }

    fn busy(&self) -> PutOff {
        PutOff::Busy(self.state.lock().put_off(self.number, Instant::now()))
    }
}

impl State {
    fn is_closed(&mut self, places: usize) -> Result<(), PutOff> {
        let Some(until) = self.open_until else { return Ok(()) };
        let now = Instant::now();
        if until <= now {
            return Ok(());
        }
        let next = self.put_off(places, now);
        Err(PutOff::Open((until - now) + next.min(OPEN_FIRST)))
    }

    /// How long one more would wait for a place.
    fn waits(&self, places: usize) -> Duration {
        let before = u32::try_from(self.waiting / places.max(1)).unwrap_or(u32::MAX);
        self.usual.saturating_mul(before.saturating_add(1))
    }

    /// Those that are put off come back one after the other, as fast as places become free.
    fn put_off(&mut self, places: usize, now: Instant) -> Duration {
        // Where nothing moves, a try takes that long at least.
        let usual = self.usual.max(now.saturating_duration_since(self.moved));
        let each = usual / u32::try_from(places.max(1)).unwrap_or(1);
        self.next = self.next.max(now) + each;
        if self.next > now + PUT_OFF_LONGEST {
            self.next = now + Duration::from_millis(250);
            return PUT_OFF_LONGEST;
        }
        (self.next - now).max(Duration::from_millis(250))
    }
}

impl Pass {
    /// The try has ended. `silent`: there was no answer. Whether that opened the breaker.
    pub fn ended(self, silent: bool, took: Duration) -> bool {
        let mut state = self.gate.state.lock();
        state.usual = (state.usual * 7 + took) / 8;
        state.moved = Instant::now();
        if !silent {
            state.failures = 0;
            state.open_until = None;
            return false;
        }
        state.failures = state.failures.saturating_add(1);
        let opens = state.failures >= BREAK_AFTER && (self.probe || state.open_until.is_none());
        if opens {
            let times = (state.failures - BREAK_AFTER).min(10);
            state.open_until = Some(Instant::now() + (OPEN_FIRST * 2u32.pow(times.min(4))).min(OPEN_LONGEST));
        }
        opens
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.gate.state.lock().probing = false;
        }
    }
}

/// A probe that found no place lets another one try.
struct ProbeEnds<'a> {
    gate: &'a Gate,
    probe: bool,
}

impl ProbeEnds<'_> {
    fn keep(mut self) -> bool {
        std::mem::take(&mut self.probe)
    }
}

impl Drop for ProbeEnds<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.gate.state.lock().probing = false;
        }
    }
}

struct Waiting<'a>(&'a Mutex<State>);

impl<'a> Waiting<'a> {
    fn begin(state: &'a Mutex<State>) -> Self {
        state.lock().waiting += 1;
        Self(state)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(gates: &Gates) -> Option<Pass> {
        gates.of("a").enter().await.ok()
    }

    #[tokio::test]
    async fn a_host_has_so_many_places_and_others_are_put_off() {
        let gates = Gates::new(2, 64);
        let first = gates.of("a").enter().await;
        let second = gates.of("a").enter().await;
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(gates.of("a").enter().await, Err(PutOff::Busy(_))));
        assert!(gates.of("b").enter().await.is_ok(), "another host has places of its own");
        drop(first);
        assert!(gates.of("a").enter().await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_becomes_free() {
        let gates = Gates::new(1, 64);
        let first = pass(&gates).await.expect("a place");
        let gate = gates.of("a");
        let waiting = tokio::spawn(async move { gate.enter().await.is_ok() });
        tokio::time::sleep(Duration::from_millis(20)).await;
        first.ended(false, Duration::from_millis(20));
        assert!(waiting.await.expect("it ends"));
    }

    #[tokio::test]
    async fn a_silent_host_is_left_alone_until_one_try_finds_it_back() {
        let gates = Gates::new(4, 64);
        for _ in 0..BREAK_AFTER {
            pass(&gates).await.expect("closed").ended(true, Duration::from_millis(1));
        }
        assert!(matches!(gates.of("a").enter().await, Err(PutOff::Open(after)) if after > Duration::from_secs(20)));
        assert_eq!(gates.breakers(), [0, 1, 0]);

        // The time is up: one may try, no second one beside it.
        gates.of("a").state.lock().open_until = Some(Instant::now());
        let probe = pass(&gates).await.expect("one may try");
        assert_eq!(gates.breakers(), [0, 0, 1]);
        assert!(matches!(gates.of("a").enter().await, Err(PutOff::Open(_))));
        probe.ended(true, Duration::from_millis(1));
        assert!(matches!(gates.of("a").enter().await, Err(PutOff::Open(after)) if after > Duration::from_secs(50)), "twice as long");

        gates.of("a").state.lock().open_until = Some(Instant::now());
        pass(&gates).await.expect("one may try").ended(false, Duration::from_millis(1));
        assert!(gates.of("a").enter().await.is_ok() && gates.breakers() == [1, 0, 0]);
    }

    #[tokio::test]
    async fn a_dropped_try_does_not_keep_the_breaker_from_closing() {
        let gates = Gates::new(1, 64);
        for _ in 0..BREAK_AFTER {
            pass(&gates).await.expect("closed").ended(true, Duration::from_millis(1));
        }
        gates.of("a").state.lock().open_until = Some(Instant::now());
        drop(gates.of("a").enter().await);
        assert!(gates.of("a").enter().await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_where_nothing_moves() {
        let gates = Gates::new(1, 64);
        let _held = pass(&gates).await.expect("a place");
        gates.of("a").state.lock().moved = Instant::now() - Duration::from_secs(8);
        let began = Instant::now();
        let put_off = gates.of("a").enter().await.err();
        assert!(matches!(put_off, Some(PutOff::Busy(after)) if after >= Duration::from_secs(8)), "{put_off:?}");
        assert!(began.elapsed() < WAIT);
    }

    #[tokio::test]
    async fn where_tries_are_quick_more_may_wait_in_line() {
        let gates = Gates::new(1, 8);
        let held = pass(&gates).await.expect("a place");
        let gate = gates.of("a");
        gate.state.lock().usual = Duration::from_millis(1);
        let line: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let gate = gate.clone();
                    async move { gate.enter().await.is_ok() }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(gate.state.lock().waiting, 20, "one may wait anyhow");
        // Where they take longer, the line is as long as it was before.
        gate.state.lock().usual = Duration::from_millis(50);
        let began = Instant::now();
        assert!(matches!(gate.enter().await, Err(PutOff::Busy(_))));
        assert!(began.elapsed() < WAIT);
        held.ended(false, Duration::from_millis(1));
        for one in line {
            assert!(one.await.expect("it ends"), "each got the place in its turn");
        }
    }

    #[test]
    fn those_that_are_put_off_come_back_one_after_the_other() {
        let gate = Gate::new(4, 8);
        let mut state = gate.state.lock();
        state.usual = Duration::from_secs(16);
        let now = Instant::now();
        let waits: Vec<u64> = (0..4).map(|_| state.put_off(4, now).as_secs()).collect();
        assert_eq!(waits, [4, 8, 12, 16]);
        let longest = (0..100).map(|_| state.put_off(4, now)).max();
        assert_eq!(longest, Some(PUT_OFF_LONGEST));
    }
}
