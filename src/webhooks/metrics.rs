//! What a worker counts of deliveries. What the queues hold is read for all workers by one (`src/duty`). No label names a channel, a host or a key.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// States of a breaker.
const BREAKERS: [&str; 3] = ["closed", "open", "half_open"];
/// How a try can end.
const ENDS: [&str; 8] = ["delivered", "status_4xx", "status_5xx", "redirect", "timeout", "connect", "broken", "refused_address"];

/// The metrics of webhooks.
pub struct WebhookMetrics {
    tries: IntCounterVec,
    /// Of `tries`: how nearly all of them end.
    delivered: IntCounter,
    durations: Histogram,
    dropped: IntCounterVec,
    put_off: IntCounterVec,
    adopted: IntCounter,
    swept: IntCounter,
    sweeps: IntCounter,
    paused: IntCounter,
    disabled: IntCounter,
    running: IntGauge,
    breakers: IntGaugeVec,
    opened: IntCounter,
}

impl WebhookMetrics {
    /// # Errors
    /// When two metrics have the same name: a mistake of ours that every start meets.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let tries = counters(
            "backchannel_webhook_tries_total",
            "Tries of deliveries, by how they ended: delivered, status_4xx, status_5xx, redirect, timeout, connect, broken, refused_address.",
            "end",
        )?;
        let metrics = Self {
            delivered: tries.with_label_values(&["delivered"]),
            tries,
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
            breakers: IntGaugeVec::new(
                Opts::new(
                    "backchannel_webhook_breakers",
                    "Hosts that this worker has sent to, by their breaker: closed, open (it is left alone), half_open (one try finds out).",
                ),
                &["state"],
            )?,
            opened: IntCounter::new(
                "backchannel_webhook_breaker_opened_total",
                "Times that a host was left alone because it did not answer.",
            )?,
        };
        for counter in [&metrics.tries, &metrics.dropped, &metrics.put_off] {
            registry.register(Box::new(counter.clone()))?;
        }
        for counter in [&metrics.adopted, &metrics.swept, &metrics.sweeps, &metrics.paused, &metrics.disabled, &metrics.opened] {
            registry.register(Box::new(counter.clone()))?;
        }
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.breakers.clone()))?;
        // Also while nothing has happened yet: what is not there cannot be told from zero.
        for state in BREAKERS {
            metrics.breakers.with_label_values(&[state]).set(0);
        }
        for end in ENDS {
            metrics.tries.with_label_values(&[end]).inc_by(0);
        }
        Ok(metrics)
    }

    /// One try has ended; `error` is empty where it was delivered.
    pub fn tried(&self, error: &str, took: Duration) {
        if error.is_empty() {
            self.delivered.inc();
        } else {
            self.tries.with_label_values(&[error]).inc();
        }
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

    pub fn breaker_opened(&self) {
        self.opened.inc();
    }

    /// Deliveries that this worker holds, and hosts whose breaker is closed, open and half open.
    pub fn holds(&self, jobs: usize, breakers: [usize; 3]) {
        self.running.set(i64::try_from(jobs).unwrap_or(i64::MAX));
        for (state, hosts) in BREAKERS.into_iter().zip(breakers) {
            self.breakers.with_label_values(&[state]).set(i64::try_from(hosts).unwrap_or(i64::MAX));
        }
    }
}
