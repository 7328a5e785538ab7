//! Webhooks: how fast one worker delivers, and what a post costs that is to be pushed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::children::Server;
use super::report::{Ratio, table};
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::drive::usages;
use crate::http::{Ask, Connection, read};
use crate::proc::Watched;
use crate::receiver::{Counted, PATH};
use crate::scenarios;
use crate::stats::{Measured, Spent, add_spent};

/// Deliveries at the same time, of the worker and of the bare loop.
const AT_ONCE: u16 = 64;
/// Channels whose messages are delivered: all queues have some.
const CHANNELS: usize = 32;
/// Deliveries to make: more than one worker can, so that it never runs out. What is left of a turn is there for the next one.
const STOCK_A_SECOND: f64 = 70_000.0;
/// Before it is counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// Nothing comes for so long: something is wrong.
const STUCK: Duration = Duration::from_secs(20);
/// Queues of a fleet.
const QUEUES: u8 = 8;

/// Counts what comes to the receiver.
struct Counter(Connection);

impl Counter {
    async fn count(&mut self) -> Result<u64> {
        Ok(read::<Counted>(&self.0.send(Ask::get("/count")).await?)?.count)
    }

    /// What comes within `length`, after the warm-up; until `most` have come in all, if that is earlier.
    async fn measure(&mut self, name: &str, length: Duration, most: u64, watched: &[Watched]) -> Result<Arrived> {
        let (start, began) = (self.count().await?, Instant::now());
        while self.count().await? == start {
            if began.elapsed() > STUCK {
                bail!("{name}: nothing comes");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(WARM_UP).await;
        let (first, before, opened) = (self.count().await?, usages(watched)?, Instant::now());
        let mut last = first;
        while opened.elapsed() < length && last - start < most {
            tokio::time::sleep(Duration::from_millis(20)).await;
            last = self.count().await?;
        }
        let elapsed = opened.elapsed();
        let spent = watched.iter().zip(before.into_iter().zip(usages(watched)?));
        let spent = spent.map(|(w, (before, after))| Spent { name: w.name.clone(), cpu: after.cpu.saturating_sub(before.cpu), after });
        Ok(Arrived { name: name.to_owned(), count: last - first, elapsed, spent: spent.collect() })
    }
}

/// Deliveries that came in one or more windows.
#[derive(Default)]
struct Arrived {
    name: String,
    count: u64,
    elapsed: Duration,
    spent: Vec<Spent>,
}

impl Arrived {
    fn add(&mut self, more: Self) {
        self.name = more.name;
        self.count += more.count;
        self.elapsed += more.elapsed;
        add_spent(&mut self.spent, more.spent);
    }

    fn per_second(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    fn cpu_us(&self, name: &str) -> Option<f64> {
        let spent = self.spent.iter().find(|s| s.name == name)?;
        (self.count > 0).then(|| spent.cpu.as_secs_f64() * 1e6 / self.count as f64)
    }

    fn row(&self) -> Vec<String> {
        let us = |name: &str| self.cpu_us(name).map(|v| format!("{v:.1}")).unwrap_or_default();
        let sender = if self.cpu_us("worker").is_some() { us("worker") } else { us("pushes") };
        vec![self.name.clone(), format!("{:.0}", self.per_second()), sender, us("redis"), us("receiver")]
    }
}

impl Bench {
    pub(super) async fn webhooks(&mut self) -> Result<()> {
        let receiver = Server::receiver(&self.scratch).await?;
        let url = format!("{}{PATH}", receiver.url());
        let mut counter = Counter(Connection::new(&receiver.url(), None)?);
        let target = self.target(self.connections()).await?;
        let channels = target.channels_with(pushing_to(&url), CHANNELS).await?;

        let [mut bare, mut ours, mut plain] = [(); 3].map(|()| Arrived::default());
        for _ in 0..ROUNDS {
            bare.add(self.bare(&mut counter, &receiver, &url, false).await?);
            self.fill_queues(&target, &channels).await?;
            ours.add(self.delivered(&mut counter, &receiver).await?);
            plain.add(self.bare(&mut counter, &receiver, &url, true).await?);
        }
        let each = |rate: f64| (rate > 0.0).then(|| 1e6 / rate);
        let what = "Time that a delivery takes one worker, against a bare reqwest loop";
        self.report.ratio(Ratio::of(what, each(ours.per_second()), each(bare.per_second()), "µs", 1.0 / 0.6));
        let rows: Vec<_> = [&bare, &ours, &plain].into_iter().map(Arrived::row).collect();
        let head = ["deliveries", "a second", "CPU of the sender, µs", "CPU of Redis, µs", "CPU of the receiver, µs"];
        let text = format!(
            "{}\n{AT_ONCE} at a time to one receiver, a process of its own on loopback that answers 200. A worker reads jobs, URL, secret and message, signs, sends, \
             notes for the owner how it went, and settles the job; {CHANNELS} channels. The bare loop sends {AT_ONCE} requests with \
             headers and bodies of the same lengths again and again; the plain one the same bodies, and of the headers only what HTTP needs. In turns, {ROUNDS} each.",
            table(&head, &rows)
        );
        self.report.section("Deliveries", text);
        self.pushed_posts(&url).await
    }

    /// `plain`: without the headers of a delivery.
    async fn bare(&self, counter: &mut Counter, receiver: &Server, url: &str, plain: bool) -> Result<Arrived> {
        let pushes = Server::pushes(url, AT_ONCE, plain, &self.scratch)?;
        let watched = [pushes.watched()?, receiver.watched()?];
        let name = if plain { "plain reqwest loop" } else { "bare reqwest loop" };
        counter.measure(name, self.round().length, u64::MAX, &watched).await
    }

    /// More deliveries than one worker can make in a turn.
    async fn fill_queues(&mut self, target: &Target, channels: &[String]) -> Result<()> {
        let stock = ((self.round().length + WARM_UP).as_secs_f64() * STOCK_A_SECOND) as u64;
        target.fill(channels, stock.saturating_sub(self.queued().await?).div_ceil(CHANNELS as u64)).await?;
        let began = Instant::now();
        while self.queued().await? < stock {
            if began.elapsed() > STUCK {
                bail!("only {} of {stock} deliveries are in the queues", self.queued().await?);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// One worker, which finds more in its queues than it can deliver.
    async fn delivered(&mut self, counter: &mut Counter, receiver: &Server) -> Result<Arrived> {
        let stock = self.queued().await?;
        let worker = Server::worker(&self.options.server, &self.redis, &self.scratch, &[AT_ONCE, AT_ONCE]).await?;
        let watched = [worker.watched()?, self.redis.watched()?, receiver.watched()?];
        // Not to the last one: those that found no place at the host come back later, and nothing else is done meanwhile.
        counter.measure("one worker", self.round().length, stock / 10 * 9, &watched).await
    }

    /// Deliveries in all queues.
    async fn queued(&mut self) -> Result<u64> {
        let mut all = 0;
        for queue in 0..QUEUES {
            all += self.asking.run::<u64>(&["XLEN", &format!("bc:{{jobs:{queue}}}:jobs")]).await?;
            all += self.asking.run::<Option<u64>>(&["GET", &format!("bc:{{jobs:{queue}}}:bundled")]).await?.unwrap_or(0);
        }
        Ok(all)
    }

    /// Posts to channels with a webhook and without; no worker runs, so it is the post and its hand-over that are measured.
    async fn pushed_posts(&mut self, url: &str) -> Result<()> {
        let mut rows = Vec::new();
        for (channels, what) in [(1, "one channel"), (self.connections(), "as many channels as connections")] {
            self.asking.run::<()>(&["FLUSHALL"]).await?;
            let target = self.target(self.connections()).await?;
            let watched = self.watched()?;
            let without = target.channels("broadcast", channels).await?;
            let with = target.channels_with(pushing_to(url), channels).await?;
            let (mut bare, mut pushed) = (Measured::default(), Measured::default());
            for _ in 0..ROUNDS {
                bare.add(scenarios::posts(&target, &without, self.round(), &watched).await?);
                pushed.add(scenarios::posts(&target, &with, self.round(), &watched).await?);
            }
            for (process, of) in [("server", "the server"), ("redis", "Redis")] {
                let what = format!("CPU of {of} per post that is pushed ({what}), against one that is not");
                self.report.ratio(Ratio::of(&what, pushed.cpu_us(process), bare.cpu_us(process), "µs", 1.5));
            }
            rows.extend([row(&format!("{what}, no webhook"), &bare), row(&format!("{what}, with a webhook"), &pushed)]);
        }
        let head = ["posts", "operations/s", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let text = "With the hand-over from the outbox into the queue, which follows the answer; no worker runs. In turns.";
        self.report.section("Posts that are pushed", format!("{}\n{text}", table(&head, &rows)));
        Ok(())
    }
}

/// Fields of a channel whose posts are pushed to `url`.
fn pushing_to(url: &str) -> Value {
    json!({ "mode": "broadcast", "discoverable": false, "webhook_url": url, "webhook_secret": "secret" })
}

fn row(name: &str, m: &Measured) -> Vec<String> {
    let us = |process: &str| m.cpu_us(process).map(|v| format!("{v:.1}")).unwrap_or_default();
    let errors = m.errors.iter().map(|(code, n)| format!("{code}: {n}")).collect::<Vec<_>>().join(", ");
    vec![name.to_owned(), format!("{:.0}", m.per_second()), us("server"), us("redis"), errors]
}
