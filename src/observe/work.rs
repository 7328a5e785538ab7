//! The work that goes through this replica, of all keys and channels together: nothing here tells one tenant from another.

use prometheus::{Histogram, HistogramOpts, IntCounter, Result};

use super::register::Register;
use crate::claims::record::ClaimRecord;
use crate::ids::Micros;

/// Messages on their way.
pub struct Work {
    pub posted: IntCounter,
    pub acknowledged: IntCounter,
    pub released: IntCounter,
    pub leases_ended: IntCounter,
    claimed: IntCounter,
    redelivered: IntCounter,
    claim_age: Histogram,
}

impl Work {
    pub(super) fn new(register: &Register<'_>) -> Result<Self> {
        let age = HistogramOpts::new(
            "backchannel_claim_age_seconds",
            "Age of messages when they are claimed for the first time: how long work waits for somebody.",
        );
        // From what a waiting worker takes at once to a day.
        let age = age.buckets(vec![0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0]);
        Ok(Self {
            posted: register
                .counter("backchannel_messages_posted_total", "Messages posted; repeats under one Idempotency-Key count once.")?,
            acknowledged: register.counter("backchannel_messages_acknowledged_total", "Acknowledgements of messages.")?,
            released: register.counter("backchannel_messages_released_total", "Claimed messages that their holders gave back.")?,
            leases_ended: register.counter(
                "backchannel_leases_ended_total",
                "Leases that ended without an acknowledgement, when this replica noticed: workers that died, or sent no heartbeat.",
            )?,
            claimed: register.counter("backchannel_messages_claimed_total", "Messages claimed, each time.")?,
            redelivered: register
                .counter("backchannel_messages_redelivered_total", "Messages claimed again, after a lease that ended or a release.")?,
            claim_age: register.histogram(age)?,
        })
    }

    /// A message was claimed just now.
    pub fn claimed(&self, posted: Micros, record: &ClaimRecord) {
        self.claimed.inc();
        if record.attempt > 1 {
            self.redelivered.inc();
        } else {
            // A number may lie ahead of the time by up to a minute, after a failover.
            self.claim_age.observe(record.claimed_at.0.saturating_sub(posted.0) as f64 / 1e6);
        }
    }
}
