//! How long a script holds Redis up while a large backlog is given back or trimmed.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use deadpool_redis::redis::Value;
use serde_json::json;

use super::Bench;
use super::report::{Ratio, table};
use crate::api;
use crate::http::{Ask, Connection};

/// Claims of one request.
const AT_ONCE: u64 = 10;
/// Messages that stay in the channel that is trimmed.
const KEPT: u64 = 100;
/// What a script gives back at most (`lua/lib/reclaim.lua`), and what it drops (`lua/lib/trim.lua`).
const GIVEN_BACK: u64 = 32;
const DROPPED: u64 = 64;
const LIMIT_MS: f64 = 2.0;

/// What a replica gathers over all claims it tells Redis every five seconds.
const ALL_TOLD: Duration = Duration::from_secs(6);

/// What Redis says of one phase.
struct Phase {
    name: &'static str,
    scripts: u64,
    /// The slowest in milliseconds; where none was logged, the bound of the histogram's last bucket.
    slowest_ms: f64,
    over: usize,
}

impl Bench {
    pub(super) async fn stalls(&mut self) -> Result<()> {
        let (filling, owner) = (self.target(self.connections()).await?, self.target(1).await?);
        let backlog = self.options.backlog;
        let channel = owner.own_channel(json!({ "mode": "claimable" })).await?;
        println!("filling {backlog} messages");
        filling.fill(std::slice::from_ref(&channel), backlog).await?;

        // One request after the other: a script is to be measured, not what waits for the CPU beside it.
        let mut minimal = Connection::new(&self.minimal.url(), None)?;
        self.quiet().await?;
        for _ in 0..backlog / AT_ONCE {
            minimal.send(Ask::post("/one", &json!({ "content": api::content() }))).await.context("the minimal server")?;
        }
        let nothing = self.phase("nothing (`return 1`, by the minimal server): what this machine does to any script").await?;

        // Long enough that none ends while others are still to be claimed, where a request takes 4 ms.
        let lease_s = ALL_TOLD.as_secs() + backlog / AT_ONCE / 250;
        let mut connection = owner.connect(0)?;
        self.quiet().await?;
        for _ in 0..backlog.div_ceil(AT_ONCE) {
            connection.send(api::claim_next(&channel, lease_s, AT_ONCE)).await.context("claiming the backlog")?;
        }
        tokio::time::sleep(ALL_TOLD).await;
        let claimed = self.phase("claim all, ten at once").await?;

        tokio::time::sleep(Duration::from_secs(lease_s)).await;
        self.quiet().await?;
        for _ in 0..backlog / GIVEN_BACK + 1 {
            // Every claim gives some back first; reads only count them out.
            connection.send(api::claim_next(&channel, 3600, 1)).await.context("giving back the backlog")?;
        }
        tokio::time::sleep(ALL_TOLD).await;
        let returned = self.phase("give back all, their leases having ended").await?;
        if self.leases_that_ended(&channel).await? > 0 {
            bail!("leases that ended were not given back");
        }

        let ring = Ask::patch(&format!("/v1/channels/{channel}"), &json!({ "max_messages": KEPT }));
        connection.send(ring).await.context("a smaller ring")?;
        self.quiet().await?;
        for _ in 0..backlog / (DROPPED - 1) + 2 {
            connection.send(api::post(&channel)).await.context("posting into the ring")?;
        }
        let trimmed = self.phase("trim all but a hundred, by posts").await?;
        let left: u64 = self.asking.run(&["XLEN", &format!("bc:{{{channel}}}:log")]).await?;
        if left > KEPT + DROPPED {
            bail!("{left} messages are left in a ring of {KEPT}");
        }

        let phases = [nothing, claimed, returned, trimmed];
        for phase in &phases[1..] {
            let what = format!("Slowest script: {} ({backlog} messages)", phase.name);
            self.report.ratio(Ratio::of(&what, Some(phase.slowest_ms), Some(LIMIT_MS), "ms", 1.0));
        }
        let row = |p: &Phase| vec![p.name.to_owned(), p.scripts.to_string(), format!("{:.2}", p.slowest_ms), p.over.to_string()];
        let text = "One request after the other, with what the replica tells Redis of them later. By the clock on the wall, as Redis' slow log takes it: on a busy \
                    machine it holds the time in which Redis did not run, too. Where none is logged, the slowest is the upper bound of the last bucket of \
                    LATENCY HISTOGRAM.";
        let head = ["what", "scripts", "slowest ms", "over 2 ms"];
        self.report.section("How long Redis is held up", format!("{}\n{text}", table(&head, &phases.iter().map(row).collect::<Vec<_>>())));
        Ok(())
    }

    async fn leases_that_ended(&mut self, channel: &str) -> Result<u64> {
        let (seconds, micros): (u64, u64) = self.asking.run(&["TIME"]).await?;
        let now = (seconds * 1_000_000 + micros).to_string();
        self.asking.run(&["ZCOUNT", &format!("bc:{{{channel}}}:leases"), "-inf", &now]).await
    }

    /// Forgets what was slow so far.
    async fn quiet(&mut self) -> Result<()> {
        self.asking.run::<()>(&["SLOWLOG", "RESET"]).await?;
        self.asking.run::<()>(&["CONFIG", "RESETSTAT"]).await
    }

    async fn phase(&mut self, name: &'static str) -> Result<Phase> {
        let scripts = self.asking.command_stats().await?.get("evalsha").map_or(0, |c| c.calls);
        let slow: Vec<Value> = self.asking.run(&["SLOWLOG", "GET", "1000"]).await?;
        let slow: Vec<i64> = slow.iter().filter_map(script_took).collect();
        let histogram: Value = self.asking.run(&["LATENCY", "HISTOGRAM", "evalsha"]).await?;
        let slowest = slow.iter().copied().max().unwrap_or_else(|| last_bucket(&histogram).min(2000));
        Ok(Phase { name, scripts, slowest_ms: slowest as f64 / 1000.0, over: slow.len() })
    }
}

/// An entry of the slow log: id, time, µs, words, …; none where it is no script.
fn script_took(entry: &Value) -> Option<i64> {
    let Value::Array(fields) = entry else { return None };
    let (Value::Int(us), Value::Array(words)) = (fields.get(2)?, fields.get(3)?) else { return None };
    let Value::BulkString(first) = words.first()? else { return None };
    first.eq_ignore_ascii_case(b"EVALSHA").then_some(*us)
}

/// The largest bound (µs) in `[evalsha, [calls, n, histogram_usec, [bound, count, …]]]`; 0 without any.
fn last_bucket(histogram: &Value) -> i64 {
    match histogram {
        Value::Array(parts) => match parts.iter().rev().find(|p| !matches!(p, Value::Array(a) if a.is_empty())) {
            Some(Value::Int(_)) => {
                let bounds = parts.iter().step_by(2).filter_map(|p| if let Value::Int(bound) = p { Some(*bound) } else { None });
                bounds.max().unwrap_or(0)
            }
            Some(inner) => last_bucket(inner),
            None => 0,
        },
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(parts: &[Value]) -> Value {
        Value::Array(parts.to_vec())
    }

    fn text(s: &str) -> Value {
        Value::BulkString(s.as_bytes().to_vec())
    }

    #[test]
    fn only_scripts_of_the_slow_log_count() {
        let entry = |word: &str| array(&[Value::Int(1), Value::Int(1_760_000_000), Value::Int(2345), array(&[text(word), text("x")])]);
        assert_eq!(script_took(&entry("EVALSHA")), Some(2345));
        assert_eq!(script_took(&entry("FLUSHALL")), None);
    }

    #[test]
    fn the_slowest_bucket_bounds_the_slowest_script() {
        let buckets = array(&[Value::Int(33), Value::Int(90), Value::Int(264), Value::Int(100)]);
        let histogram = array(&[text("evalsha"), array(&[text("calls"), Value::Int(100), text("histogram_usec"), buckets])]);
        assert_eq!(last_bucket(&histogram), 264);
        assert_eq!(last_bucket(&array(&[])), 0);
    }
}
