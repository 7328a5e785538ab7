//! What this replica counts. What Redis knows (depth, pending work) is not counted here: every replica would report the same thing.

pub mod register;
mod waits;
mod work;

use std::time::Duration;

use foldhash::HashMap;
use parking_lot::RwLock;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use self::register::Register;
use self::waits::Waits;
use self::work::Work;
use crate::duty::metrics::DutyMetrics;
use crate::operation::Operation;
use crate::store::measure::RedisMetrics;
use crate::webhooks::metrics::WebhookMetrics;

/// An operation's id and a status.
type OperationAndStatus = (&'static str, u16);

/// What a `method` label may be.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The metrics of one replica.
pub struct Metrics {
    registry: Registry,
    /// The two metrics of an operation and status, found without putting label texts together for each request.
    by_operation: RwLock<HashMap<OperationAndStatus, (IntCounter, Histogram)>>,
    requests: IntCounterVec,
    durations: HistogramVec,
    running: IntGauge,
    errors: IntCounterVec,
    claims_given_back: IntCounter,
    outbox_writes: IntCounter,
    pub redis: RedisMetrics,
    /// Requests that are held.
    pub waits: Waits,
    /// Messages on their way.
    pub work: Work,
    pub caches: Caches,
    /// Those of webhooks; only a worker counts most of them.
    pub webhooks: WebhookMetrics,
    /// That of the fleet's background work; only workers do it.
    pub duty: DutyMetrics,
}

/// Whether what a request needs was known here.
pub struct Caches {
    /// What keys may do.
    pub keys: CacheCounts,
    /// What names of channels stand for.
    pub names: CacheCounts,
    /// Actors by name, id and alias.
    pub actors: CacheCounts,
}

/// Lookups in one cache.
pub struct CacheCounts {
    hits: IntCounter,
    misses: IntCounter,
}

impl CacheCounts {
    fn new(lookups: &IntCounterVec, cache: &str) -> Self {
        Self { hits: lookups.with_label_values(&[cache, "hit"]), misses: lookups.with_label_values(&[cache, "miss"]) }
    }

    /// Counts a lookup, and gives its result on.
    pub fn counted<T>(&self, found: Option<T>) -> Option<T> {
        if found.is_some() {
            self.hits.inc();
        } else {
            self.misses.inc();
        }
        found
    }
}

/// Counts one thing up now and down when dropped.
pub struct Counted(IntGauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// # Errors
    /// When two metrics have the same name: a mistake of ours that every start meets.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let register = Register(&registry);
        let latency = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
        let lookups = register.keep(IntCounterVec::new(
            Opts::new("backchannel_cache_lookups_total", "Lookups in what this replica remembers for a second, by cache and result."),
            &["cache", "result"],
        )?)?;
        let build = register.keep(IntGaugeVec::new(
            Opts::new("backchannel_build_info", "Always 1; the label says which release this process is."),
            &["version"],
        )?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self {
            by_operation: RwLock::default(),
            requests: register.keep(IntCounterVec::new(
                Opts::new("backchannel_requests_total", "HTTP requests answered, by method, path template and status."),
                &["method", "path", "status"],
            )?)?,
            durations: register.keep(HistogramVec::new(
                HistogramOpts::new(
                    "backchannel_request_duration_seconds",
                    "Time from the request's headers to its response; requests that waited on purpose included.",
                )
                .buckets(latency),
                &["method", "path"],
            )?)?,
            running: register.gauge("backchannel_requests_running", "Requests being answered now, waiters included.")?,
            errors: register.counters(
                "backchannel_request_errors_total",
                "Requests answered with an error, by its code; docs/errors.md says what each means.",
                "code",
            )?,
            claims_given_back: register
                .counter("backchannel_claims_given_back_total", "Claims undone because the client had hung up before it was answered.")?,
            outbox_writes: register
                .counter("backchannel_outbox_writes_total", "Requests answered by this replica that left something to push to webhooks.")?,
            redis: RedisMetrics::new(&registry)?,
            waits: Waits::new(&register)?,
            work: Work::new(&register)?,
            caches: Caches {
                keys: CacheCounts::new(&lookups, "keys"),
                names: CacheCounts::new(&lookups, "names"),
                actors: CacheCounts::new(&lookups, "actors"),
            },
            webhooks: WebhookMetrics::new(&registry)?,
            duty: DutyMetrics::new(&register)?,
            registry,
        })
    }

    pub fn request_began(&self) -> Counted {
        self.running.inc();
        Counted(self.running.clone())
    }

    /// `route` is the path template; every variable segment becomes `{id}`. A method that HTTP does not know counts as `other`: no
    /// client may name a series.
    pub fn request_ended(&self, operation: Option<&'static Operation>, method: &str, route: &str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        // HEAD shares its operation with GET, and is rare.
        let operation = operation.filter(|o| o.method == method);
        if let Some(operation) = operation
            && let Some((count, duration)) = self.by_operation.read().get(&(operation.id, status))
        {
            count.inc();
            duration.observe(seconds);
            return;
        }
        let path = template(route);
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let count = self.requests.with_label_values(&[method, &path, &status.to_string()]);
        let duration = self.durations.with_label_values(&[method, &path]);
        count.inc();
        duration.observe(seconds);
        if let Some(operation) = operation {
            self.by_operation.write().insert((operation.id, status), (count, duration));
        }
    }

    /// A request was answered with this error.
    pub fn refused(&self, code: &'static str) {
        self.errors.with_label_values(&[code]).inc();
    }

    pub fn claim_given_back(&self) {
        self.claims_given_back.inc();
    }

    pub fn outbox_written(&self) {
        self.outbox_writes.inc();
    }

    /// The page that Prometheus reads.
    ///
    /// # Errors
    /// When a metric cannot be written.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(page)
    }
}

fn template(route: &str) -> String {
    route.split('/').map(|s| if s.starts_with('{') { "{id}" } else { s }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_variable_segment_counts_as_id() {
        assert_eq!(super::template("/v1/channels/{identifier}/members/{member_key_id}"), "/v1/channels/{id}/members/{id}");
    }
}
