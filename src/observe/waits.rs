//! Requests that are held, and what wakes them.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntGauge, Result};

use super::Counted;
use super::register::Register;
use crate::wait::hub::Stats;

/// What a replica counts of its waiters.
pub struct Waits {
    lengths: HistogramVec,
    waiters: IntGauge,
    limit: IntGauge,
    topics: IntGauge,
    connected: IntGauge,
    wake_ups: IntCounter,
    lost: IntCounter,
    restored: IntCounter,
    /// What the hub's counters said when they were last read.
    seen: Mutex<Stats>,
}

impl Waits {
    pub(super) fn new(register: &Register<'_>) -> Result<Self> {
        let seconds = vec![0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
        Ok(Self {
            lengths: register.keep(HistogramVec::new(
                HistogramOpts::new("backchannel_wait_seconds", "How long long-polls were held, by kind and by how they ended.")
                    .buckets(seconds),
                &["kind", "end"],
            )?)?,
            waiters: register.gauge("backchannel_waiters", "Long-polls held open now.")?,
            limit: register.gauge("backchannel_waiters_limit", "Long-polls that may be held open; further ones are answered at once.")?,
            topics: register.gauge("backchannel_subscriptions", "Topics of channels that this replica is subscribed to in Redis.")?,
            connected: register.gauge(
                "backchannel_wake_up_connection_up",
                "1 while the connection that hears wake-ups is up; else who waits here is answered up to 30 seconds late.",
            )?,
            wake_ups: register.counter("backchannel_wake_ups_total", "Wake-up messages that came from Redis.")?,
            lost: register.counter(
                "backchannel_wake_ups_lost_total",
                "Wake-up messages dropped because the replica did not keep up; all waiters read again then.",
            )?,
            restored: register
                .counter("backchannel_subscriptions_restored_total", "Subscriptions put back after a loss, or to be sure.")?,
            seen: Mutex::default(),
        })
    }

    pub fn began(&self) -> Counted {
        self.waiters.inc();
        Counted(self.waiters.clone())
    }

    pub fn ended(&self, kind: &str, end: &str, took: Duration) {
        self.lengths.with_label_values(&[kind, end]).observe(took.as_secs_f64());
    }

    /// Long-polls held open now.
    pub fn running(&self) -> i64 {
        self.waiters.get()
    }

    /// Takes in how the hub is now, and how many may wait.
    pub fn look(&self, hub: Stats, limit: usize) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let mut seen = self.seen.lock();
        self.wake_ups.inc_by(hub.wakes_total - seen.wakes_total);
        self.lost.inc_by(hub.lagged_total - seen.lagged_total);
        self.restored.inc_by(hub.resubscribed_total - seen.resubscribed_total);
        self.topics.set(whole(hub.topics));
        self.connected.set(i64::from(hub.connected));
        self.limit.set(whole(limit as u64));
        *seen = hub;
    }
}
