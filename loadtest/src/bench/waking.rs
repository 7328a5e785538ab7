//! Wake-ups: across replicas against bare pub/sub, and ten thousand at once against requests that a bare server holds.

use std::time::Duration;

use anyhow::Result;

use super::bare::Way;
use super::children::{Server, Threads};
use super::report::{Ratio, table};
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::http::{Ask, Connection};
use crate::proc;
use crate::scenarios;
use crate::scenarios::fanout::{Held, hold};
use crate::stats::{Measured, ms};

/// A replica that has just started still makes its connections, and then asks again for what it has read before.
pub(super) const SETTLED: Duration = Duration::from_secs(3);

/// A wake-up over the service, and what it is compared with.
#[derive(Default)]
pub(super) struct Wakes {
    one_way: Measured,
    round_trip: Measured,
    minimal: Measured,
    service: Measured,
}

impl Wakes {
    pub(super) fn all(&self) -> [&Measured; 4] {
        [&self.one_way, &self.round_trip, &self.minimal, &self.service]
    }
}

impl Bench {
    /// A wake-up takes two connections, one that posts and one that waits.
    pub(super) fn pairs(&self) -> usize {
        self.connections().div_ceil(2)
    }

    /// All in turns; `service` is one turn of the service.
    pub(super) async fn wakes(&mut self, what: &str, service: impl AsyncFn(&Self) -> Result<Measured>) -> Result<Wakes> {
        let reader = Server::minimal(&self.redis, Threads::One, &self.scratch).await?;
        let mut wakes = Wakes::default();
        for _ in 0..ROUNDS {
            wakes.one_way.add(self.bare_pub_sub(Way::OneWay).await?);
            wakes.round_trip.add(self.bare_pub_sub(Way::RoundTrip).await?);
            wakes.minimal.add(scenarios::minimal_wake([self.minimal_alone.url(), reader.url()], self.pairs(), self.round()).await?);
            wakes.service.add(service(self).await?);
        }
        wakes.all().iter().for_each(|measured| print!("{measured}"));
        let p50 = |m: &Measured| (m.operations() > 0).then(|| m.latencies.quantile(0.5) as f64);
        let yardsticks = [
            ("a bare pub/sub round trip", &wakes.round_trip, 3.0),
            ("a bare PUBLISH one way", &wakes.one_way, 3.0),
            ("a wake-up across minimal servers", &wakes.minimal, 1.7),
        ];
        for (yardstick, than, target) in yardsticks {
            let what = format!("{what} (p50), against {yardstick}");
            self.report.ratio(Ratio::of(&what, p50(&wakes.service), p50(than), "µs", target));
        }
        Ok(wakes)
    }

    pub(super) async fn waking(&mut self) -> Result<()> {
        let urls: Vec<String> = self.replicas.iter().map(Server::url).collect();
        let target = Target::prepare(&urls, self.pairs()).await?;
        let wakes = self.wakes("Wake-up across replicas", async |bench| scenarios::wake(&target, bench.round(), &[]).await).await?;
        let row = |m: &Measured| {
            let (l, errors) = (&m.latencies, m.errors.values().sum::<u64>());
            vec![m.scenario.clone(), l.count().to_string(), ms(l.quantile(0.5)), ms(l.quantile(0.99)), errors.to_string()]
        };
        let text = format!(
            "{}\npub/sub, one way: from PUBLISH to the message on another connection of the generator. pub/sub, round trip: who hears it publishes an answer, \
             until that is heard. wake: from the sending of a post on one replica to the answer of a reader that waits on the other: two requests, a script \
             and a publish that carries the message. wake, minimal servers: the same over two servers that do nothing else. {} pairs, pauses of 10 to \
             30 ms, all in turns.",
            table(&["what", "rounds", "p50 ms", "p99 ms", "errors"], &wakes.all().map(row)),
            self.pairs()
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
