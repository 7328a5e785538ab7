//! How long a script holds Redis up while a large backlog is given back or trimmed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use deadpool_redis::redis::Value;
use serde_json::json;

use super::Bench;
use super::report::{Ratio, table};
use crate::api::{self, Target};
use crate::http::{Ask, Connection};
use crate::proc::{Turns, Watched};
use crate::redis::Calls;

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

/// Requests that are sent one after the other, and what Redis said and did meanwhile.
struct Phase {
    name: &'static str,
    redis: Watched,
    /// The most that Redis ran for a request, so also for a script of it.
    most_ran: Duration,
    /// Requests in which a script took above 2 ms by the clock.
    long: Vec<Long>,
    scripts: Calls,
    /// The slowest script by the clock, in milliseconds; where none was logged, the bound of the histogram's last bucket.
    slowest_ms: f64,
    /// How many took above 2 ms by the clock.
    over: usize,
}

/// A request, in which the one thread of Redis that runs scripts did this.
struct Long {
    script_ms: f64,
    redis: Turns,
}

impl Bench {
    pub(super) async fn stalls(&mut self) -> Result<()> {
        let (filling, owner) = (self.target(self.connections()).await?, self.target(1).await?);
        let backlog = self.options.backlog;
        let channel = owner.own_channel(json!({ "mode": "claimable" })).await?;
        println!("filling {backlog} messages");
        filling.fill(std::slice::from_ref(&channel), backlog).await?;

        // Long enough that none ends while others are still to be claimed, where a request takes 4 ms.
        let lease_s = ALL_TOLD.as_secs() + backlog / AT_ONCE / 250;
        let mut connection = owner.connect(0)?;
        let mut claimed = self.phase("claim all, ten at once").await?;
        for _ in 0..backlog.div_ceil(AT_ONCE) {
            self.send(&mut claimed, &mut connection, api::claim_next(&channel, lease_s, AT_ONCE)).await?;
        }
        tokio::time::sleep(ALL_TOLD).await;
        self.end(&mut claimed).await?;

        tokio::time::sleep(Duration::from_secs(lease_s)).await;
        let mut returned = self.phase("give back all, their leases having ended").await?;
        for _ in 0..backlog / GIVEN_BACK + 1 {
            // Every claim gives some back first; reads only count them out.
            self.send(&mut returned, &mut connection, api::claim_next(&channel, 3600, 1)).await?;
        }
        tokio::time::sleep(ALL_TOLD).await;
        self.end(&mut returned).await?;
        if self.leases_that_ended(&channel).await? > 0 {
            bail!("leases that ended were not given back");
        }

        let ring = Ask::patch(&format!("/v1/channels/{channel}"), &json!({ "max_messages": KEPT }));
        connection.send(ring).await.context("a smaller ring")?;
        let mut trimmed = self.phase("trim all but a hundred, by posts").await?;
        for _ in 0..backlog / (DROPPED - 1) + 2 {
            self.send(&mut trimmed, &mut connection, api::post(&channel)).await?;
        }
        self.end(&mut trimmed).await?;
        let left: u64 = self.asking.run(&["XLEN", &format!("bc:{{{channel}}}:log")]).await?;
        if left > KEPT + DROPPED {
            bail!("{left} messages are left in a ring of {KEPT}");
        }

        let ours = [claimed, returned, trimmed];
        let loops = self.loops(&ours).await?;
        for phase in &ours {
            let ratio =
                |what: &str, ms| Ratio::of(&format!("{what}: {} ({backlog} messages)", phase.name), Some(ms), Some(LIMIT_MS), "ms", 1.0);
            self.report.ratio(ratio("Most that Redis ran for a request", ms(phase.most_ran)));
            self.report.ratio(ratio("Slowest script by the clock", phase.slowest_ms));
        }
        let mut text = held_up(ours.iter().chain([&loops]));
        text += &self.expiry(&filling).await?;
        self.report.section("How long Redis is held up", text);
        Ok(())
    }

    /// The end of a channel with its backlog, where Redis frees it aside and where it does not.
    async fn expiry(&mut self, filling: &Target) -> Result<String> {
        let backlog = self.options.backlog;
        let mut held_up = Vec::new();
        for setting in ["no", "yes"] {
            let channel = filling.own_channel(json!({ "mode": "claimable" })).await?;
            filling.fill(std::slice::from_ref(&channel), backlog).await?;
            self.asking.run::<()>(&["CONFIG", "SET", "lazyfree-lazy-expire", setting]).await?;
            self.asking.run::<()>(&["LATENCY", "RESET"]).await?;
            let pattern = format!("bc:{{{channel}}}:*");
            for key in self.asking.run::<Vec<String>>(&["KEYS", &pattern]).await? {
                self.asking.run::<()>(&["PEXPIRE", &key, "50"]).await?;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let left: Vec<String> = self.asking.run(&["KEYS", &pattern]).await?;
            if !left.is_empty() {
                bail!("{left:?} did not expire");
            }
            let events: Vec<(String, u64, f64, f64)> = self.asking.run(&["LATENCY", "LATEST"]).await?;
            let longest = events.iter().filter(|(event, ..)| event.starts_with("expire")).map(|(.., most)| *most).reduce(f64::max);
            held_up.push(longest.unwrap_or(LIMIT_MS));
        }
        let what = format!("Longest turn of expiry, as a channel ends ({backlog} messages)");
        self.report.ratio(Ratio::of(&what, Some(held_up[1]), Some(LIMIT_MS), "ms", 1.0));
        Ok(format!(
            "\nWhen a channel of {backlog} messages expires, Redis is held up for {} ms, by its latency monitor, which notes what takes 2 ms or longer (2: nothing noted); \
             with `lazyfree-lazy-expire no`, which is Redis' default, for {} ms.\n",
            held_up[1], held_up[0]
        ))
    }

    /// The yardstick: as many scripts, which take as long together, and do nothing but count.
    async fn loops(&mut self, phases: &[Phase]) -> Result<Phase> {
        const TRIED: u64 = 100_000;
        let (scripts, usec) = phases.iter().fold((0, 0), |(n, usec), p| (n + p.scripts.calls, usec + p.scripts.usec));
        let count = |steps: u64| Ask::post(&format!("/count/{steps}"), &json!({ "content": api::content() }));
        let mut connection = Connection::new(&self.minimal_alone.url(), None)?;
        let mut trial = self.phase("how long a loop takes").await?;
        for _ in 0..100 {
            self.send(&mut trial, &mut connection, count(TRIED)).await?;
        }
        self.end(&mut trial).await?;
        let steps = TRIED * trial.scripts.calls * usec / (trial.scripts.usec * scripts).max(1);
        let mut loops = self.phase("loops that count, by the minimal server: what this machine does to any script").await?;
        for _ in 0..scripts {
            self.send(&mut loops, &mut connection, count(steps)).await?;
        }
        self.end(&mut loops).await?;
        Ok(loops)
    }

    /// Begins one: forgets what was slow so far.
    async fn phase(&mut self, name: &'static str) -> Result<Phase> {
        self.asking.run::<()>(&["SLOWLOG", "RESET"]).await?;
        self.asking.run::<()>(&["CONFIG", "RESETSTAT"]).await?;
        let (redis, most_ran) = (self.redis.watched()?, Duration::ZERO);
        Ok(Phase { name, redis, most_ran, long: Vec::new(), scripts: Calls::default(), slowest_ms: 0.0, over: 0 })
    }

    async fn send(&mut self, phase: &mut Phase, connection: &mut Connection, ask: Ask) -> Result<()> {
        let (before, began) = (phase.redis.turns()?, Instant::now());
        connection.send(ask).await.context(phase.name)?;
        let (took, redis) = (began.elapsed(), phase.redis.turns()?.since(before));
        phase.most_ran = phase.most_ran.max(redis.ran.unwrap_or_default());
        if ms(took) > LIMIT_MS {
            // It may have been the server that took long, or this program.
            let slow = self.slow_scripts().await?;
            if slow.len() > phase.over {
                phase.over = slow.len();
                phase.long.push(Long { script_ms: slow[0], redis });
            }
        }
        Ok(())
    }

    async fn end(&mut self, phase: &mut Phase) -> Result<()> {
        phase.scripts = self.asking.command_stats().await?.get("evalsha").copied().unwrap_or_default();
        let slow = self.slow_scripts().await?;
        let histogram: Value = self.asking.run(&["LATENCY", "HISTOGRAM", "evalsha"]).await?;
        phase.over = slow.len();
        phase.slowest_ms = slow.into_iter().reduce(f64::max).unwrap_or_else(|| (last_bucket(&histogram) as f64 / 1000.0).min(LIMIT_MS));
        Ok(())
    }

    /// Milliseconds, the latest script first.
    async fn slow_scripts(&mut self) -> Result<Vec<f64>> {
        let slow: Vec<Value> = self.asking.run(&["SLOWLOG", "GET", "1000"]).await?;
        Ok(slow.iter().filter_map(script_took).map(|us| us as f64 / 1000.0).collect())
    }

    async fn leases_that_ended(&mut self, channel: &str) -> Result<u64> {
        let (seconds, micros): (u64, u64) = self.asking.run(&["TIME"]).await?;
        let now = (seconds * 1_000_000 + micros).to_string();
        self.asking.run(&["ZCOUNT", &format!("bc:{{{channel}}}:leases"), "-inf", &now]).await
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn held_up<'a>(phases: impl Iterator<Item = &'a Phase> + Clone) -> String {
    let row = |p: &Phase| {
        let mean = p.scripts.usec as f64 / p.scripts.calls.max(1) as f64 / 1000.0;
        let numbers = [mean, p.slowest_ms, ms(p.most_ran)].map(|n| format!("{n:.2}"));
        [&[p.name.to_owned(), p.scripts.calls.to_string()], &numbers[..2], &[p.over.to_string()], &numbers[2..]].concat()
    };
    let head = ["what", "scripts", "mean ms", "slowest ms", "over 2 ms", "most that Redis ran for a request, ms"];
    let rows: Vec<_> = phases.clone().map(row).collect();
    let line = |p: &Phase, l: &Long| {
        let Turns { ran, waited, faults, from_disk } = l.redis;
        let ran = ran.map_or_else(|| "not known, since it went on".to_owned(), |t| format!("{:.2} ms", ms(t)));
        format!(
            "- {}: a script of {:.2} ms. For its request Redis ran (all of it): {ran}; was ready and had no core: {:.2} ms; page faults: {faults}, \
             {from_disk} of them from the disk.\n",
            p.name,
            l.script_ms,
            ms(waited)
        )
    };
    let long: String = phases.flat_map(|p| p.long.iter().map(move |l| line(p, l))).collect();
    let long = if long.is_empty() { "No request met a script above 2 ms.\n".to_owned() } else { long };
    format!(
        "{}\nOne request after the other, with what the replica tells Redis of them later. Mean and slowest are by the clock on the wall, as Redis' slow log takes it: \
         they hold the time in which Redis did not run, too. Where none is logged, the slowest is the upper bound of the last bucket of LATENCY HISTOGRAM. What Redis \
         ran for a request is its main thread's time on a core, by the kernel's account, of requests before and after which it slept.\n\n{long}",
        table(&head, &rows)
    )
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
