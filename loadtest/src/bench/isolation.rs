//! One of a hundred targets hangs: what the others notice of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use serde_json::json;

use super::Bench;
use super::children::Server;
use super::report::{Ratio, table};
use crate::api::Target;
use crate::http::{Ask, Connection};
use crate::receiver;
use crate::stats::{Latencies, ms};

const TARGETS: usize = 100;
/// Between two posts: what the machine does with ease, so that it is delays that are measured and no queue of the load itself.
const PACE: Duration = Duration::from_millis(5);
/// The two situations take turns so often: what the machine does meanwhile meets both.
const ROUNDS: usize = 5;
/// What waits for the target that hangs before anything of a round is measured, and every how many posts goes to it while it is.
const BACKLOG: usize = 200;
const TO_THE_HANGING: usize = 20;
/// Longest time for a delivery to arrive.
const LIMIT: Duration = Duration::from_secs(20);
/// Of a worker: tries at the same time, of these at one host.
const WORKER: [u16; 2] = [256, 4];

/// A target and the channel that is pushed to it.
struct Pair {
    target: receiver::Target,
    channel: String,
}

impl Pair {
    async fn new(load: &Target) -> Result<Self> {
        let target = receiver::Target::default();
        let url = target.listen().await?;
        let channel = load.own_channel(json!({ "mode": "broadcast", "webhook_url": url })).await?;
        Ok(Self { target, channel })
    }
}

impl Bench {
    pub(super) async fn isolation(&mut self) -> Result<()> {
        let load = self.target(1).await?;
        let mut others = Vec::new();
        for _ in 1..TARGETS {
            others.push(Pair::new(&load).await?);
        }
        let _worker = Server::worker(&self.options.server, &self.redis, &self.scratch, &WORKER).await?;
        let count = (self.options.seconds / PACE.as_secs_f64()) as usize / ROUNDS;
        let (mut alone, mut beside) = (Latencies::default(), Latencies::default());
        measure(&load, &others, None, 0..count, &mut Latencies::default()).await?;
        for first in (0..ROUNDS).map(|round| (2 * round + 1) * count) {
            measure(&load, &others, None, first..first + count, &mut alone).await?;
            let hanging = hangs(&load).await?;
            measure(&load, &others, Some(&hanging), first + count..first + 2 * count, &mut beside).await?;
            // Nobody wants any more what waits for it, so the next round is one of targets that are well.
            load.connect(0)?.send(Ask::patch(&format!("/v1/channels/{}", hanging.channel), &json!({ "webhook_url": null }))).await?;
            hanging.target.recover();
        }
        let p99 = |l: &Latencies| Some(l.quantile(0.99) as f64);
        let what = format!("Delivery to {} targets (p99) beside one that hangs, against all well", TARGETS - 1);
        self.report.ratio(Ratio::of(&what, p99(&beside), p99(&alone), "µs", 2.0));
        let rows = [("all well", &alone), ("one hangs", &beside)]
            .map(|(name, l)| vec![name.to_owned(), l.count().to_string(), ms(l.quantile(0.5)), ms(l.quantile(0.99)), ms(l.max())]);
        let text = format!(
            "{}\nFrom the sending of a post to its arrival at its target, one post each {} ms; both situations in turn, {ROUNDS} times. The one that hangs takes \
             requests and answers none, a new one each time; {BACKLOG} deliveries wait for it, and each {TO_THE_HANGING}th post adds one.",
            table(&["targets", "deliveries", "p50 ms", "p99 ms", "max ms"], &rows),
            PACE.as_millis()
        );
        self.report.section("One target of a hundred hangs", text);
        Ok(())
    }
}

/// A target that hangs, and for which deliveries wait.
async fn hangs(load: &Target) -> Result<Pair> {
    let hanging = Pair::new(load).await?;
    hanging.target.hang();
    for n in 0..BACKLOG {
        post(load, &hanging, &format!("backlog {n}")).await?;
    }
    let began = Instant::now();
    while hanging.target.held() == 0 {
        if began.elapsed() > LIMIT {
            bail!("nothing comes to the target that hangs");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(hanging)
}

async fn post(load: &Target, pair: &Pair, content: &str) -> Result<()> {
    let ask = Ask::post(&format!("/v1/channels/{}/messages", pair.channel), &json!({ "content": content }));
    load.connect(0)?.send(ask).await?;
    Ok(())
}

/// Posts with these numbers round the targets, paced, on from where the ones before ended: what is posted to a channel just after something else is
/// handed over a bit later; the time of each from before the post to its arrival goes into `all`. `besides` gets some too, which are not waited for.
async fn measure(load: &Target, pairs: &[Pair], besides: Option<&Pair>, posts: Range<usize>, all: &mut Latencies) -> Result<()> {
    let mut connections: Vec<Connection> = (0..16).map(|_| load.connect(0)).collect::<Result<_>>()?;
    try_join_all(connections.iter_mut().map(Connection::open)).await?;
    let (mut running, mut sent) = (FuturesUnordered::new(), Vec::new());
    let mut ticks = tokio::time::interval(PACE);
    for n in posts {
        ticks.tick().await;
        let hanging = besides.filter(|_| n % TO_THE_HANGING == 0);
        let (pair, content) = (hanging.unwrap_or(&pairs[n % pairs.len()]), format!("post {n}"));
        let mut connection = match connections.pop() {
            Some(connection) => connection,
            None => running.next().await.unwrap_or_else(|| load.connect(0))?,
        };
        let began = Instant::now();
        let ask = Ask::post(&format!("/v1/channels/{}/messages", pair.channel), &json!({ "content": content }));
        running.push(async move { connection.send(ask).await.map(|_| connection).map_err(anyhow::Error::from) });
        while let Some(Some(done)) = futures::FutureExt::now_or_never(running.next()) {
            connections.push(done?);
        }
        if hanging.is_none() {
            sent.push((pair, content, began));
        }
    }
    while let Some(done) = running.next().await {
        done?;
    }
    for (pair, content, began) in sent {
        let waited = Instant::now();
        let came = loop {
            match pair.target.came(&content) {
                Some(came) => break came,
                None if waited.elapsed() > LIMIT => bail!("{content} does not arrive"),
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        all.record(came.saturating_duration_since(began));
    }
    Ok(())
}
