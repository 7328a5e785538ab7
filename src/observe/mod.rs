//! What this replica counts. What Redis knows (depth, pending work) is not counted here: every replica would report the same thing.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::RwLock;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::operation::Operation;
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
    waits: HistogramVec,
    waiters: IntGauge,
    claims_given_back: IntCounter,
    outbox_writes: IntCounter,
    redis_up: Gauge,
    hub: GaugeVec,
    /// Those of webhooks; only a worker counts most of them.
    pub webhooks: WebhookMetrics,
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
        let latency = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
        let seconds = vec![0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
        let registry = Registry::new();
        let metrics = Self {
            webhooks: WebhookMetrics::new(&registry)?,
            registry,
            by_operation: RwLock::new(HashMap::new()),
            requests: IntCounterVec::new(
                Opts::new("backchannel_requests_total", "HTTP requests answered, by method, path template and status."),
                &["method", "path", "status"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "backchannel_request_duration_seconds",
                    "Time from the request's headers to its response; requests that waited on purpose included.",
                )
                .buckets(latency),
                &["method", "path"],
            )?,
            running: IntGauge::new("backchannel_requests_running", "Requests being answered now, waiters included.")?,
            waits: HistogramVec::new(
                HistogramOpts::new("backchannel_wait_seconds", "How long long-polls were held, by kind and by how they ended.")
                    .buckets(seconds),
                &["kind", "end"],
            )?,
            waiters: IntGauge::new("backchannel_waiters", "Long-polls held open now.")?,
            claims_given_back: IntCounter::new(
                "backchannel_claims_given_back_total",
                "Claims undone because the client had hung up before it was answered.",
            )?,
            outbox_writes: IntCounter::new(
                "backchannel_outbox_writes_total",
                "Requests answered by this replica that left something to push to webhooks.",
            )?,
            redis_up: Gauge::new("backchannel_redis_up", "1 if Redis answered the last question, else 0.")?,
            hub: GaugeVec::new(
                Opts::new("backchannel_hub", "Wake-up hub: topics subscribed, wake-ups received, messages missed, re-subscriptions."),
                &["what"],
            )?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.waits.clone()))?;
        registry.register(Box::new(metrics.waiters.clone()))?;
        registry.register(Box::new(metrics.claims_given_back.clone()))?;
        registry.register(Box::new(metrics.outbox_writes.clone()))?;
        registry.register(Box::new(metrics.redis_up.clone()))?;
        registry.register(Box::new(metrics.hub.clone()))?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
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

    pub fn wait_began(&self) -> Counted {
        self.waiters.inc();
        Counted(self.waiters.clone())
    }

    /// Long-polls held open now.
    pub fn waiters(&self) -> i64 {
        self.waiters.get()
    }

    pub fn wait_ended(&self, kind: &str, end: &str, took: Duration) {
        self.waits.with_label_values(&[kind, end]).observe(took.as_secs_f64());
    }

    pub fn claim_given_back(&self) {
        self.claims_given_back.inc();
    }

    pub fn outbox_written(&self) {
        self.outbox_writes.inc();
    }

    pub fn redis_is_up(&self, up: bool) {
        self.redis_up.set(if up { 1.0 } else { 0.0 });
    }

    pub fn hub(&self, what: &str, value: f64) {
        self.hub.with_label_values(&[what]).set(value);
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
