//! Reading texts into settings, and the rules between two of them.

use std::collections::HashMap;

use super::kinds::Kind;
use super::{Defaults, Mistake, PREFIX, Row, Settings, row};

/// Reads texts into values and keeps every mistake.
pub(super) struct Reader {
    defaults: Defaults,
    pub values: HashMap<String, String>,
    pub mistakes: Vec<Mistake>,
}

impl Reader {
    pub fn new(defaults: Defaults) -> Self {
        Self { defaults, values: HashMap::new(), mistakes: Vec::new() }
    }

    pub fn read<K: Kind>(&mut self, name: &str, kind: &K) -> Option<K::Value> {
        let row = row(name)?;
        let text = self.text(row).to_owned();
        kind.parse(&text).map_err(|reason| self.mistakes.push(Mistake::value(row, &text, reason.0))).ok()
    }

    fn text(&self, row: &'static Row) -> &str {
        self.values.get(row.name).map_or_else(|| row.default_for(self.defaults), String::as_str)
    }

    /// The rules between two settings.
    pub fn compare(&mut self, settings: &Settings) {
        if settings.default_ttl_s < settings.min_ttl_s {
            self.together("DEFAULT_TTL_SECONDS", &format!("must be at least {PREFIX}MIN_TTL_SECONDS, which is {}", settings.min_ttl_s));
        }
        if settings.redis_password.is_some() && settings.redis_url.login().password().is_some() {
            self.together("REDIS_PASSWORD_FILE", &format!("{PREFIX}REDIS_URL has a password too: give one of them"));
        }
        if settings.redis_authorities.is_some() && !settings.redis_url.tls() {
            self.together("REDIS_TLS_CA_FILE", &format!("{PREFIX}REDIS_URL does not ask for TLS: its scheme must begin with rediss"));
        }
        if settings.channel_idle_days > 0 && settings.survey_keys_per_second == 0 {
            self.together(
                "CHANNEL_IDLE_DAYS",
                &format!("idle channels are found by the survey: {PREFIX}SURVEY_KEYS_PER_SECOND must not be 0"),
            );
        }
        if settings.metrics_port.is_some_and(|port| port != 0 && port == settings.port) {
            self.together("METRICS_PORT", &format!("must differ from {PREFIX}PORT (leave it unset to have /metrics there)"));
        }
    }

    fn together(&mut self, name: &str, rule: &str) {
        if let Some(row) = row(&format!("{PREFIX}{name}")) {
            let text = self.text(row).to_owned();
            self.mistakes.push(Mistake::together(row, &text, rule));
        }
    }
}
