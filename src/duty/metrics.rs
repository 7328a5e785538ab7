//! The numbers of the fleet, shown by each of its processes; and what a worker counts of the background work.

use std::sync::Arc;

use prometheus::{Encoder, IntCounter, IntGauge, Registry, Result, TextEncoder};

use super::findings::{Findings, Part};
use super::{queues, survey};
use crate::app::App;
use crate::observe::register::Register;

/// What a worker counts of the fleet's background work.
pub struct DutyMetrics {
    held: IntGauge,
    passes: IntCounter,
    expired: IntCounter,
}

impl DutyMetrics {
    /// # Errors
    /// When two metrics have the same name: a mistake of ours that every start meets.
    pub fn new(register: &Register<'_>) -> Result<Self> {
        Ok(Self {
            held: register.gauge("backchannel_duty_held", "1 for the worker that does the fleet's background work now.")?,
            passes: register.counter("backchannel_survey_passes_total", "Surveys of all channels that this worker has completed.")?,
            expired: register.counter("backchannel_channels_expired_total", "Idle channels that this worker has deleted.")?,
        })
    }

    pub fn holds(&self, held: bool) {
        self.held.set(held.into());
    }

    pub fn surveyed(&self) {
        self.passes.inc();
    }

    pub fn expired(&self) {
        self.expired.inc();
    }
}

/// The part of `/metrics` that is the same in each process of the fleet. What was not found within a day is left out, and all of it while Redis does
/// not answer: a zero would say that nothing waits.
pub async fn page(app: &App) -> Vec<u8> {
    let Ok(found) = Findings::read(app).await else { return Vec::new() };
    let mut page = Vec::new();
    let written = text(&found).and_then(|registry| TextEncoder::new().encode(&registry.gather(), &mut page));
    if let Err(cause) = written {
        tracing::error!(%cause, "the numbers of the fleet cannot be written");
        page.clear();
    }
    page
}

/// Of all channels and queues together: nothing here tells one tenant from another.
fn text(found: &Findings) -> Result<Arc<Registry>> {
    let registry = Arc::new(Registry::new());
    let register = Register(&registry);
    let set = |gauge: IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    if let Some(age_s) = found.age_s(Part::Survey) {
        let oldest = register.gauge(
            "backchannel_oldest_open_message_age_seconds",
            "Age of the oldest message that waits to be claimed, in all channels, as the last survey found it; 0: there is none. Take the maximum.",
        )?;
        set(oldest, found.s_since_field(survey::OLDEST));
        let open =
            register.gauge("backchannel_open_messages", "Messages that can be claimed, in all channels, as the last survey found them.")?;
        set(open, found.number(survey::OPEN));
        let leases = register.gauge("backchannel_running_leases", "Leases that run, in all channels, as the last survey found them.")?;
        set(leases, found.number(survey::LEASES));
        set(register.gauge("backchannel_channels", "Channels, as the last survey found them.")?, found.number(survey::CHANNELS));
        set(register.gauge("backchannel_survey_age_seconds", "How long ago the last survey of all channels ended.")?, age_s);
        let took = register.gauge("backchannel_survey_duration_seconds", "How long the last survey of all channels took.")?;
        set(took, found.number(survey::DURATION_MS) / 1000);
    }
    if found.age_s(Part::Queues).is_some() {
        let depth = register.gauge(
            "backchannel_webhook_queue_depth",
            "Deliveries to be tried now, of the whole fleet; every process shows it. Take the maximum.",
        )?;
        set(depth, found.number(queues::DEPTH));
        let later = register.gauge(
            "backchannel_webhook_queue_later",
            "Deliveries to be tried later, of the whole fleet; every process shows it. Take the maximum.",
        )?;
        set(later, found.number(queues::LATER));
        let oldest = register.gauge(
            "backchannel_webhook_oldest_age_seconds",
            "Age of the oldest delivery to be tried now, of the whole fleet; 0: there is none. Every process shows it; take the maximum.",
        )?;
        set(oldest, found.s_since_field(queues::OLDEST));
    }
    Ok(registry)
}
