//! What a worker counts of deliveries, and what it last saw of the queues. No label names a channel, a host or a key.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The metrics of webhooks.
pub struct WebhookMetrics {
    tries: IntCounterVec,
    durations: Histogram,
    dropped: IntCounterVec,
    put_off: IntCounterVec,
    adopted: IntCounter,
    swept: IntCounter,
    sweeps: IntCounter,
    paused: IntCounter,
    disabled: IntCounter,
    running: IntGauge,
    open_breakers: IntGauge,
    depth: IntGauge,
    later: IntGauge,
    oldest: IntGauge,
}

impl WebhookMetrics {
    /// # Errors
    /// When two metrics have the same name: a mistake of ours that every start meets.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            tries: counters(
                "backchannel_webhook_tries_total",
                "Tries of deliveries, by how they ended: delivered, status_4xx, status_5xx, redirect, timeout, connect, broken, refused_address.",
                "end",
            )?,
            durations: Histogram::with_opts(
                HistogramOpts::new("backchannel_webhook_duration_seconds", "Time of one try, from the connection to the answer.")
                    .buckets(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0]),
            )?,
            dropped: counters(
                "backchannel_webhook_dropped_total",
                "Deliveries that nobody is told of any more, by why: no_webhook, key_revoked, channel_deleted, message_gone, not_a_member, muted, dead, broken.",
                "why",
            )?,
            put_off: counters(
                "backchannel_webhook_put_off_total",
                "Deliveries put back because their host was busy or its breaker open.",
                "why",
            )?,
            adopted: IntCounter::new("backchannel_webhook_adopted_total", "Deliveries taken over from workers that died.")?,
            swept: IntCounter::new("backchannel_webhook_sweep_channels_total", "Outboxes that sweeps have looked into.")?,
            sweeps: IntCounter::new("backchannel_webhook_sweeps_total", "Complete sweeps of a part of the index of outboxes.")?,
            paused: IntCounter::new("backchannel_webhook_hand_over_paused_total", "Times that a full queue left deliveries in an outbox.")?,
            disabled: IntCounter::new("backchannel_webhook_disabled_total", "Webhooks taken away because their target is gone.")?,
            running: IntGauge::new("backchannel_webhook_tries_running", "Deliveries that this worker holds now.")?,
            open_breakers: IntGauge::new(
                "backchannel_webhook_breakers_open",
                "Hosts that this worker leaves alone because they do not answer.",
            )?,
            depth: IntGauge::new(
                "backchannel_webhook_queue_depth",
                "Deliveries to be tried now, of the whole fleet; every worker shows it.",
            )?,
            later: IntGauge::new(
                "backchannel_webhook_queue_later",
                "Deliveries to be tried later, of the whole fleet; every worker shows it.",
            )?,
            oldest: IntGauge::new(
                "backchannel_webhook_oldest_age_seconds",
                "Age of the oldest delivery to be tried now, of the whole fleet; 0: there is none.",
            )?,
        };
        for counter in [&metrics.tries, &metrics.dropped, &metrics.put_off] {
            registry.register(Box::new(counter.clone()))?;
        }
        for counter in [&metrics.adopted, &metrics.swept, &metrics.sweeps, &metrics.paused, &metrics.disabled] {
            registry.register(Box::new(counter.clone()))?;
        }
        for gauge in [&metrics.running, &metrics.open_breakers, &metrics.depth, &metrics.later, &metrics.oldest] {
            registry.register(Box::new(gauge.clone()))?;
        }
        registry.register(Box::new(metrics.durations.clone()))?;
        Ok(metrics)
    }

    /// One try has ended; `error` is empty where it was delivered.
    pub fn tried(&self, error: &str, took: Duration) {
        self.tries.with_label_values(&[if error.is_empty() { "delivered" } else { error }]).inc();
        self.durations.observe(took.as_secs_f64());
    }

    pub fn dropped(&self, why: &str) {
        self.dropped.with_label_values(&[why]).inc();
    }

    pub fn put_off(&self, why: &str) {
        self.put_off.with_label_values(&[why]).inc();
    }

    pub fn adopted(&self, jobs: usize) {
        self.adopted.inc_by(jobs as u64);
    }

    pub fn swept(&self, channels: usize) {
        self.swept.inc_by(channels as u64);
    }

    pub fn sweep_ended(&self) {
        self.sweeps.inc();
    }

    pub fn hand_over_paused(&self) {
        self.paused.inc();
    }

    pub fn disabled(&self) {
        self.disabled.inc();
    }

    pub fn holds(&self, jobs: usize, open_breakers: usize) {
        self.running.set(i64::try_from(jobs).unwrap_or(i64::MAX));
        self.open_breakers.set(i64::try_from(open_breakers).unwrap_or(i64::MAX));
    }

    /// What all queues hold together.
    pub fn queues(&self, depth: u64, later: u64, oldest_s: u64) {
        let set = |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.depth, depth);
        set(&self.later, later);
        set(&self.oldest, oldest_s);
    }
}
