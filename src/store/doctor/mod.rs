//! `backchannel doctor`: whether a Redis is set as docs/reliability.md needs it, and what to change.
//!
//! It reads, and makes one key that expires at once. What a managed Redis does not tell is said to be unknown, not wrong.

mod access;
mod facts;
mod memory;
mod persistence;
mod replicas;
mod server;
mod topology;

use serde::Serialize;

use self::facts::Facts;
use super::nodes::Nodes;
use crate::settings::Settings;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// It could not be checked.
    Unknown,
    /// It works, and something can be lost or stop that need not be.
    Warn,
    /// Work is lost or refused.
    Fail,
}

/// One check of one server, or of all together.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub level: Level,
    pub check: &'static str,
    /// `host:port`, or what is looked at.
    pub at: String,
    /// What is.
    pub is: String,
    /// A command or a line of configuration that changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// Takes findings in, of one server at a time.
struct Chart<'a> {
    settings: &'a Settings,
    at: String,
    findings: Vec<Finding>,
}

impl Chart<'_> {
    fn ok(&mut self, check: &'static str, is: impl Into<String>) {
        self.add(Level::Ok, check, is.into(), None);
    }

    fn unknown(&mut self, check: &'static str, why: &str) {
        self.add(Level::Unknown, check, format!("could not be checked: {why}"), None);
    }

    fn warn(&mut self, check: &'static str, is: impl Into<String>, change: impl Into<String>) {
        self.add(Level::Warn, check, is.into(), Some(change.into()));
    }

    fn fail(&mut self, check: &'static str, is: impl Into<String>, change: impl Into<String>) {
        self.add(Level::Fail, check, is.into(), Some(change.into()));
    }

    fn add(&mut self, level: Level, check: &'static str, is: String, change: Option<String>) {
        self.findings.push(Finding { level, check, at: self.at.clone(), is, change });
    }
}

/// Looks at the Redis of these settings: every primary, and what is around them.
pub async fn examine(settings: &Settings) -> Vec<Finding> {
    let nodes = Nodes::new(&settings.redis_url, Some(settings.redis_timeout));
    let mut chart = Chart { settings, at: "redis".to_owned(), findings: Vec::new() };
    topology::check_sentinels(&mut chart, &nodes, &settings.redis_url).await;
    let primaries = match nodes.primaries().await {
        Ok(primaries) => primaries,
        Err(e) => {
            let is = format!("nobody tells which server is the primary: {e}");
            chart.fail("reachable", is, "check BACKCHANNEL_REDIS_URL, the network, user and password");
            return chart.findings;
        }
    };
    let mut clocks = Vec::new();
    for primary in primaries {
        chart.at.clone_from(&primary.address);
        let mut connection = match primary.connection {
            Ok(connection) => connection,
            Err(e) => {
                let is = format!("no connection: {e}");
                chart.fail("reachable", is, "check BACKCHANNEL_REDIS_URL, that Redis runs, the network, user and password");
                continue;
            }
        };
        let facts = match Facts::ask(&mut connection).await {
            Ok(facts) => facts,
            Err(e) => {
                chart.fail("reachable", format!("it does not answer PING: {e}"), "check that Redis runs, and user and password");
                continue;
            }
        };
        clocks.push(facts.clock_ahead.unwrap_or(0.0));
        server::check(&mut chart, &facts);
        memory::check(&mut chart, &facts);
        persistence::check(&mut chart, &facts);
        replicas::check(&mut chart, &facts);
        topology::check_node(&mut chart, &facts);
        access::check(&mut chart, &mut connection).await;
    }
    chart.at = "redis".to_owned();
    if clocks.is_empty() {
        return chart.findings; // nobody is there: that is said
    }
    topology::check_cluster(&mut chart, &nodes, &clocks).await;
    access::check_use(&mut chart).await;
    chart.findings
}
