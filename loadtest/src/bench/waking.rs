//! Wake-ups: across replicas against bare pub/sub, and ten thousand at once against requests that a bare server holds.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use deadpool_redis::redis::Client;
use deadpool_redis::redis::aio::{MultiplexedConnection, PubSub};
use futures::StreamExt;

use super::children::{Server, Threads};
use super::report::{Ratio, table};
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::drive::{Step, Work, drive};
use crate::http::{Ask, Connection, Failure};
use crate::proc;
use crate::scenarios::fanout::{Held, hold};
use crate::scenarios::{self, wake::pause};
use crate::stats::{Measured, ms};

/// Few: the time of a wake-up is measured here, not that of a queue.
pub(super) const PAIRS: usize = 4;

/// A replica that has just started still makes its connections, and then asks again for what it has read before.
pub(super) const SETTLED: Duration = Duration::from_secs(3);

/// A publisher and a subscriber of a topic, with nothing between them but Redis.
struct Topic {
    name: String,
    publisher: MultiplexedConnection,
    subscriber: PubSub,
}

impl Topic {
    async fn once(&mut self) -> Result<Duration> {
        tokio::time::sleep(pause()).await; // paced as the other one: a machine that slept in between wakes up as slowly
        let sent = Instant::now();
        let mut command = deadpool_redis::redis::cmd("PUBLISH");
        command.arg(&self.name).arg("one");
        let mut messages = self.subscriber.on_message();
        let (published, heard) =
            tokio::join!(command.query_async::<i64>(&mut self.publisher), async { messages.next().await.map(|_| sent.elapsed()) });
        published?;
        heard.context("the subscription ended")
    }
}

impl Work for Topic {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.subscriber.subscribe(&self.name).await.map_err(|e| Failure(e.to_string()))
    }

    async fn step(&mut self) -> Step {
        self.once().await.map_or_else(|e| Step::Failed(Failure(e.to_string())), Step::Done)
    }
}

impl Bench {
    /// From a PUBLISH to the message on another connection of the generator.
    pub(super) async fn bare_pub_sub(&self) -> Result<Measured> {
        let client = Client::open(self.redis.redis_url())?;
        let mut topics = Vec::new();
        for i in 0..PAIRS {
            let (publisher, subscriber) = (client.get_multiplexed_async_connection().await?, client.get_async_pubsub().await?);
            topics.push(Topic { name: format!("bare:{i}"), publisher, subscriber });
        }
        drive("bare pub/sub", topics, self.round(), &[]).await
    }

    /// From a post on one minimal server to the answer of a request that waits on another.
    pub(super) async fn minimal_wake(&self, reader: &Server) -> Result<Measured> {
        scenarios::minimal_wake([self.minimal_alone.url(), reader.url()], PAIRS, self.round()).await
    }

    pub(super) fn compare_wakes(&mut self, what: &str, measured: &Measured, bare: &Measured, least: &Measured) {
        let p50 = |m: &Measured| (m.operations() > 0).then(|| m.latencies.quantile(0.5) as f64);
        for (yardstick, than, target) in [("a bare PUBLISH", bare, 3.0), ("a wake-up across minimal servers", least, 1.7)] {
            let what = format!("{what} (p50), against {yardstick}");
            self.report.ratio(Ratio::of(&what, p50(measured), p50(than), "µs", target));
        }
    }

    pub(super) async fn waking(&mut self) -> Result<()> {
        let urls: Vec<String> = self.replicas.iter().map(Server::url).collect();
        let target = Target::prepare(&urls, PAIRS).await?;
        let reader = Server::minimal(&self.redis, Threads::One, &self.scratch).await?;
        let [mut bare, mut least, mut wake] = [(); 3].map(|()| Measured::default());
        for _ in 0..ROUNDS {
            bare.add(self.bare_pub_sub().await?);
            least.add(self.minimal_wake(&reader).await?);
            wake.add(scenarios::wake(&target, self.round(), &[]).await?);
        }
        print!("{bare}{least}{wake}");
        self.compare_wakes("Wake-up across replicas", &wake, &bare, &least);
        let rows: Vec<_> = [&bare, &least, &wake]
            .into_iter()
            .map(|m| {
                let l = &m.latencies;
                vec![
                    m.scenario.clone(),
                    l.count().to_string(),
                    ms(l.quantile(0.5)),
                    ms(l.quantile(0.99)),
                    m.errors.values().sum::<u64>().to_string(),
                ]
            })
            .collect();
        let text = format!(
            "{}\nbare pub/sub: from PUBLISH to the message on another connection of the generator. wake: from the sending of a post on one replica to the \
             answer of a reader that waits on the other: two requests, a script and a publish that carries the message. wake, minimal servers: the same \
             over two servers that do nothing else. {PAIRS} pairs, pauses of 10 to 30 ms, all in turns.",
            table(&["what", "rounds", "p50 ms", "p99 ms", "errors"], &rows)
        );
        self.report.section("Wake-up across replicas", text);
        Ok(())
    }

    /// Idle requests on a minimal server that was freshly started.
    pub(super) async fn held_by_bare_server(&self, yardstick: &Server, count: usize) -> Result<Held> {
        let ask = Ask::get("/hold?seconds=120");
        let readers = (0..count).map(|_| Ok((Connection::new(&yardstick.url(), None)?, ask.clone()))).collect::<Result<_>>()?;
        hold(readers, &yardstick.watched()?).await
    }

    /// On a replica and a minimal server of their own: memory that earlier load left behind would hide what waiters take.
    pub(super) async fn fanout(&mut self) -> Result<()> {
        let files = proc::open_files();
        let waiters = self.options.waiters.min(usize::try_from(files.saturating_sub(200))?);
        if waiters < self.options.waiters {
            println!("only {waiters} waiters: no more than {files} open files are allowed here");
        }
        let yardstick = Server::minimal(&self.redis, Threads::Usual, &self.scratch).await?;
        let held = self.held_by_bare_server(&yardstick, waiters).await?;
        println!("bare server: {} held requests, {:.1} KiB each", held.count, held.bytes_each / 1024.0);
        let bare = held.bytes_each;
        drop((held, yardstick));

        let replica = Server::replica(&self.options.server, &self.redis, &self.scratch).await?;
        let target = Target::prepare(&[replica.url()], 64).await?;
        tokio::time::sleep(SETTLED).await;
        let found = scenarios::fanout(&target, waiters, &replica.watched()?, Some(&mut self.asking)).await?;
        print!("{found}");
        let what = format!("Memory of a waiter ({waiters} idle), against a request held by a bare axum server");
        self.report.ratio(Ratio::of(&what, Some(found.bytes_each / 1024.0), Some(bare / 1024.0), "KiB", 1.3));
        let besides = found.calls("evalsha").map(|n| n.saturating_sub(1) as f64);
        let what = format!("Scripts besides the post that Redis ran while one post woke {waiters}");
        self.report.ratio(Ratio::of(&what, besides, Some(1.0), "scripts", 1.0));
        let text = format!(
            "One post to {} readers that wait on one replica: half answered after {} ms, all after {} ms, {} not. Redis ran meanwhile, the post \
             included: {}. The generator, one thread, reads all the answers: most of that time is its own.",
            found.waiters,
            ms(found.answered.quantile(0.5)),
            ms(found.answered.max()),
            found.missed,
            found.commands()
        );
        self.report.section("Many waiters", text);
        Ok(())
    }
}
