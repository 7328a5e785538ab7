//! CPU per operation, of the server and of Redis, against a server that does nothing and a script that does the least.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::report::{Ratio, table};
use super::{Bench, ROUNDS};
use crate::api;
use crate::drive::Window;
use crate::minimal::BARE_POST;
use crate::redis::{Calls, since};
use crate::scenarios;
use crate::stats::Measured;

/// Messages to claim and to acknowledge.
const STOCK_A_SECOND: f64 = 16_000.0;
/// redis-benchmark: as a replica has, so deep that as many requests are under way as in the other runs.
const BENCHMARK_CONNECTIONS: u64 = 1;

impl Bench {
    pub(super) async fn costs(&mut self) -> Result<()> {
        let minimal = [self.minimal.watched()?, self.redis.watched()?];
        let alone = [self.minimal_alone.watched()?, self.redis.watched()?];
        let (url, url_alone) = (self.minimal.url(), self.minimal_alone.url());
        let target = self.target(self.connections()).await?;
        let watched = self.watched()?;
        let channels = target.channels("claimable", 1).await?;
        let stock = (self.options.seconds * STOCK_A_SECOND) as u64 / u64::from(ROUNDS);
        let [mut one, mut one_alone, mut bare, mut post, mut claim, mut ack] = [(); 6].map(|()| Measured::default());
        let (mut commands, mut deep) = (BTreeMap::new(), 0.0);
        for _ in 0..ROUNDS {
            one.add(scenarios::yardstick(&url, "/one", self.connections(), self.round(), &minimal).await?);
            one_alone.add(scenarios::yardstick(&url_alone, "/one", self.connections(), self.round(), &alone).await?);
            bare.add(scenarios::yardstick(&url, "/bare", self.connections(), self.round(), &minimal).await?);
            let before = self.asking.command_stats().await?;
            post.add(scenarios::posts(&target, &channels, self.round(), &watched).await?);
            commands = since(&before, &self.asking.command_stats().await?);
            deep += self.benchmark().await? / f64::from(ROUNDS);
            let messages = target.fill(&channels, stock).await?;
            // To the last one: each ack is to find its holder.
            claim.add(scenarios::claims(&target, &messages, Window::whole(), &watched).await?);
            ack.add(scenarios::acks(&target, &messages, Window::whole(), &watched).await?);
        }
        let cycle = scenarios::cycle(&target, self.window(), &watched).await?;
        one_alone.scenario += ", on one thread";
        print!("{one}{one_alone}{bare}{post}{claim}{ack}{cycle}");

        for (name, measured) in [("post", &post), ("claim", &claim), ("ack", &ack)] {
            let what = format!("CPU of the server per {name}, against a minimal server");
            self.report.ratio(Ratio::of(&what, measured.cpu_us("server"), one.cpu_us("minimal"), "µs", 1.7));
            let what = format!("{what} on one thread, as the service is");
            self.report.ratio(Ratio::of(&what, measured.cpu_us("server"), one_alone.cpu_us("minimal"), "µs", 1.7));
        }
        let what = "CPU of Redis per post, against XADD + ZADD sent by the minimal server";
        self.report.ratio(Ratio::of(what, post.cpu_us("redis"), bare.cpu_us("redis"), "µs", 2.0));
        let what = "CPU of Redis per post, against XADD + ZADD sent by redis-benchmark";
        self.report.ratio(Ratio::of(what, post.cpu_us("redis"), Some(deep), "µs", 2.0));

        let rows: Vec<_> = [&one, &one_alone, &bare, &post, &claim, &ack, &cycle].into_iter().map(row).collect();
        let head = ["scenario", "operations/s", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        self.report.section("Operations", format!("{}\ncycle is post, claim and ack together. {ABOUT}", table(&head, &rows)));
        self.report.section("What Redis spends on a post", spent(&commands));
        Ok(())
    }

    /// The bare script by redis-benchmark, at the depth that the connections of the load make; CPU microseconds of Redis an operation.
    async fn benchmark(&mut self) -> Result<f64> {
        let sha: String = self.asking.run(&["SCRIPT", "LOAD", BARE_POST]).await?;
        let depth = (u64::from(self.options.connections) / BENCHMARK_CONNECTIONS).max(1);
        let count = (self.options.seconds / f64::from(ROUNDS) * 40_000.0) as u64;
        let redis = self.redis.watched()?;
        let before = redis.usage()?;
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &self.redis.port.to_string(), "-c", &BENCHMARK_CONNECTIONS.to_string(), "-P", &depth.to_string()]);
        command.args(["-n", &count.to_string(), "-q", "-r", "1000000000000", "EVALSHA", &sha, "2", "bench:{x}:log", "bench:{x}:open"]);
        command.args(["bck_abcdefghijklmnopqrstuvwxyz.actor_abcdefghijklmnopqrstuvwxyz.load-0", &api::content(), "__rand_int__"]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("redis-benchmark")?;
        if !output.status.success() {
            bail!("redis-benchmark: {}", String::from_utf8_lossy(&output.stderr));
        }
        let used = redis.usage()?.cpu.saturating_sub(before.cpu);
        Ok(used.as_secs_f64() * 1e6 / count.max(1) as f64)
    }
}

/// # Errors
/// When redis-benchmark is not installed: better known before the rest has been measured.
pub async fn benchmark_is_here() -> Result<()> {
    let asked = Command::new("redis-benchmark").arg("--version").stdout(Stdio::null()).status().await;
    asked.map(|_| ()).context("redis-benchmark cannot be started; Debian and Ubuntu have it in redis-tools")
}

const ABOUT: &str = "The minimal server (`/one`) parses the same body and sends one EVALSHA of `return 1` on one multiplexed connection; `/bare` \
    sends a script with only the XADD and the ZADD of a post to a claimable channel. Both get the same requests from as many connections, so as many \
    requests are under way in Redis' pipeline as the server lets through; a quicker server leaves fewer to a batch, so redis-benchmark runs the same script also at a fixed depth. \
    The minimal server has a thread for each core, as tokio gives it; on one thread it is cheaper too, and so both are measured. All but cycle take turns, four each.";

fn row(m: &Measured) -> Vec<String> {
    let us = |name: &str| m.cpu_us(name).map(|v| format!("{v:.1}"));
    vec![
        m.scenario.clone(),
        format!("{:.0}", m.per_second()),
        crate::stats::ms(m.latencies.quantile(0.5)),
        crate::stats::ms(m.latencies.quantile(0.99)),
        us("server").or_else(|| us("minimal")).unwrap_or_default(),
        us("redis").unwrap_or_default(),
        m.errors.iter().map(|(code, n)| format!("{code}: {n}")).collect::<Vec<_>>().join(", "),
    ]
}

/// The commands inside the script, the most expensive first; calls and time are those of a post on average.
fn spent(commands: &BTreeMap<String, Calls>) -> String {
    let posts = commands.get("xadd").map_or(1, |c| c.calls.max(1)) as f64;
    let mut most: Vec<_> = commands.iter().filter(|(_, c)| c.calls as f64 > posts / 100.0).collect();
    most.sort_by_key(|(_, c)| std::cmp::Reverse(c.usec));
    let rows: Vec<_> = most
        .into_iter()
        .map(|(name, c)| vec![name.clone(), format!("{:.2}", c.calls as f64 / posts), format!("{:.2}", c.usec as f64 / posts)])
        .collect();
    let text = "From INFO commandstats. evalsha is the whole script, the commands within it included; what CPU of Redis per post is beyond it goes into \
                reading requests and writing replies.";
    format!("{}\n{text}", table(&["command", "calls a post", "µs a post"], &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_spread_over_the_posts() {
        let calls = |calls, usec| Calls { calls, usec };
        let commands = BTreeMap::from([
            ("xadd".to_owned(), calls(100, 300)),
            ("evalsha".to_owned(), calls(100, 2000)),
            ("info".to_owned(), calls(1, 500)),
        ]);
        let text = spent(&commands);
        let at = |s: &str| text.find(s).unwrap_or_else(|| panic!("{s} in {text}"));
        assert!(at("| evalsha | 1.00 | 20.00 |") < at("| xadd | 1.00 | 3.00 |"));
        assert!(!text.contains("info"), "too rare to matter");
    }
}
