//! How Redis does, as this replica sees it.

use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Registry, Result};

use super::capacity::Capacity;
use super::redis::Failure;
use super::scripts;
use crate::observe::register::Register;

/// The classes of [`Failure`] that a command may end with for good.
const CLASSES: [&str; 5] = ["unavailable", "full", "overloaded", "unknown", "fault"];

/// The metrics of the way to Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisMetrics {
    up: IntGauge,
    /// Scripts that Redis did not have.
    pub reloads: IntCounter,
    errors: IntCounterVec,
    pub reconnects: IntCounter,
    pub connections: IntGauge,
    running: IntGauge,
    used: IntGauge,
    limit: IntGauge,
    full: IntGauge,
    pub confirmations: ConfirmationMetrics,
}

/// What came of waiting for replicas; all 0 where durability is the primary's. Cheap to clone.
#[derive(Clone)]
pub struct ConfirmationMetrics {
    confirmed: IntCounter,
    refused: IntCounter,
    durations: Histogram,
}

impl ConfirmationMetrics {
    fn new(register: &Register<'_>) -> Result<Self> {
        let outcomes = register.counters(
            "backchannel_confirmations_total",
            "Writes that replicas of Redis were to confirm, by outcome: confirmed, refused (answered not_replicated).",
            "outcome",
        )?;
        let durations = HistogramOpts::new(
            "backchannel_confirmation_duration_seconds",
            "Time from Redis' answer to a write until enough replicas had it, where they confirmed.",
        );
        // Up to the longest BACKCHANNEL_REDIS_TIMEOUT_MS that makes sense.
        let durations = durations.buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
        Ok(Self {
            confirmed: outcomes.with_label_values(&["confirmed"]),
            refused: outcomes.with_label_values(&["refused"]),
            durations: register.histogram(durations)?,
        })
    }

    /// Enough replicas have it, after so long.
    pub fn confirmed(&self, took: Duration) {
        self.confirmed.inc();
        self.durations.observe(took.as_secs_f64());
    }

    pub fn refused(&self) {
        self.refused.inc();
    }
}

impl RedisMetrics {
    /// # Errors
    /// When two metrics have the same name: a mistake of ours that every start meets.
    pub fn new(registry: &Registry) -> Result<Self> {
        let register = Register(registry);
        registry.register(Box::new(Durations))?;
        let metrics = Self {
            up: register.gauge("backchannel_redis_up", "1 if Redis answered the last question, else 0.")?,
            reloads: register.counter(
                "backchannel_redis_script_reloads_total",
                "Scripts sent in full because Redis did not know them: after a release, a restart or a failover.",
            )?,
            errors: register.counters(
                "backchannel_redis_errors_total",
                "Commands that Redis did not carry out, by class: unavailable, full (out of memory), overloaded (too many wait), unknown (no \
                 answer in time; it may have run), fault (a script failed).",
                "class",
            )?,
            reconnects: register.counter("backchannel_redis_reconnects_total", "Connections for commands that broke and are made again.")?,
            connections: register.gauge("backchannel_redis_connections", "Connections for commands that are up.")?,
            running: register.gauge("backchannel_redis_commands_running", "Commands that wait for Redis' answer now.")?,
            used: register.gauge("backchannel_redis_memory_used_bytes", "Memory that the fullest node of Redis used when last looked at.")?,
            limit: register.gauge(
                "backchannel_redis_memory_limit_bytes",
                "Memory above which that node counts as full and nothing new is taken; 0: it has no limit.",
            )?,
            full: register.gauge("backchannel_redis_full", "1 while posts and all else that adds something are refused for want of memory.")?,
            confirmations: ConfirmationMetrics::new(&register)?,
        };
        for class in CLASSES {
            metrics.errors.with_label_values(&[class]); // so that the first error is a rise from 0
        }
        Ok(metrics)
    }

    pub fn is_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// A command was not carried out. A script that Redis does not have is sent in full, and is none.
    pub fn failed(&self, failure: &Failure) {
        match failure {
            Failure::NoScript => self.reloads.inc(),
            other => self.errors.with_label_values(&[other.class()]).inc(),
        }
    }

    /// Takes in what is known at the moment.
    pub fn look(&self, running: usize, capacity: &Capacity) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.running.set(whole(running as u64));
        self.used.set(whole(capacity.used()));
        self.limit.set(whole(capacity.limit().unwrap_or(0)));
        self.full.set(i64::from(capacity.check().is_err()));
    }
}

/// The histogram of one script; every script has its own, so that a call finds it without a search.
///
/// # Errors
/// When the name cannot be a label.
pub fn duration_of(script: &str) -> Result<Histogram> {
    let opts = HistogramOpts::new(
        "backchannel_redis_script_duration_seconds",
        "Time from sending a script to Redis' answer, by script; a failed try that was repeated included.",
    );
    let buckets = vec![0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.5];
    Histogram::with_opts(opts.const_label("script", script).buckets(buckets))
}

/// The histograms of scripts that were called.
struct Durations;

impl Durations {
    fn all() -> impl Iterator<Item = &'static Histogram> {
        scripts::ALL.iter().filter_map(|script| Some(script.parsed().ok()?.duration()))
    }
}

impl Collector for Durations {
    fn desc(&self) -> Vec<&Desc> {
        Self::all().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let called = Self::all().filter(|histogram| histogram.get_sample_count() > 0);
        let mut families = called.flat_map(Collector::collect);
        let Some(mut family) = families.next() else { return Vec::new() };
        for mut other in families {
            family.mut_metric().extend(other.take_metric());
        }
        vec![family]
    }
}
