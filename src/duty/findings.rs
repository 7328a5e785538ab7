//! What was found last, in one small hash of the fleet.

use std::collections::HashMap;

use super::lease::Lease;
use crate::app::App;
use crate::error::Result;
use crate::ids::Micros;
use crate::store::scripts;

/// Kept so long when no worker runs any more.
const LIFE_MS: u64 = 86_400_000;

/// A part of what is found, and the field that says when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Survey,
    Queues,
}

impl Part {
    const fn at(self) -> &'static str {
        match self {
            Self::Survey => "surveyed_at",
            Self::Queues => "queues_at",
        }
    }
}

/// What was found last, and the time of Redis now.
pub struct Findings {
    fields: HashMap<String, u64>,
    now: Micros,
}

impl Findings {
    /// # Errors
    /// When Redis is in trouble.
    pub async fn read(app: &App) -> Result<Self> {
        let slot = app.keys.duty();
        let reply = scripts::DUTY_FINDINGS.on(&slot).may_send_again(true).run(&app.redis).await?;
        let fields = reply.pairs(0)?.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect();
        Ok(Self { fields, now: reply.now() })
    }

    /// How long ago this part was found, in seconds; None: not within a day.
    pub fn age_s(&self, part: Part) -> Option<u64> {
        self.fields.get(part.at()).map(|at| self.s_since(*at))
    }

    pub fn number(&self, field: &str) -> u64 {
        self.fields.get(field).copied().unwrap_or(0)
    }

    /// Seconds since the time (µs) in a field; 0 where there is none.
    pub fn s_since_field(&self, field: &str) -> u64 {
        match self.number(field) {
            0 => 0,
            at => self.s_since(at),
        }
    }

    /// A message's number may lie ahead of the time by up to a minute, after a failover.
    fn s_since(&self, at: u64) -> u64 {
        self.now.0.saturating_sub(at) / 1_000_000
    }
}

/// Files what was found, if this worker still has the lease. Whether it had.
///
/// # Errors
/// When Redis is in trouble.
pub async fn file(app: &App, lease: &Lease, part: Part, fields: &[(&str, u64)]) -> Result<bool> {
    let slot = app.keys.duty();
    let fields = fields.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]);
    let call = scripts::DUTY_FILE.on(&slot).arg("worker", lease.worker()).arg("at", part.at()).int("life_ms", LIFE_MS).rest(fields);
    Ok(call.may_send_again(true).run(&app.redis).await?.status() == "filed")
}
