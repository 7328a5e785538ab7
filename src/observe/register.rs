//! Declaring a metric and registering it, in one step.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, Result};

/// Where metrics are declared. Each refuses a name that there is already.
pub struct Register<'a>(pub &'a Registry);

impl Register<'_> {
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.keep(IntCounter::new(name, help)?)
    }

    /// One for each value of `label`.
    pub fn counters(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), &[label])?)
    }

    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.keep(IntGauge::new(name, help)?)
    }

    pub fn histogram(&self, opts: HistogramOpts) -> Result<Histogram> {
        self.keep(Histogram::with_opts(opts)?)
    }

    /// Any other.
    pub fn keep<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}
