//! Encrypted rooms: sends against posts, delivery across replicas against bare pub/sub, many idle participants against requests of a bare server.

use anyhow::Result;

use super::children::{Server, Threads};
use super::report::{Ratio, table};
use super::waking::SETTLED;
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::http::Connection;
use crate::proc;
use crate::scenarios::fanout::hold;
use crate::scenarios::{self, rooms};
use crate::stats::{Measured, ms};

impl Bench {
    pub(super) async fn rooms(&mut self) -> Result<()> {
        let target = self.target(self.connections()).await?;
        let watched = self.watched()?;
        let channels = target.channels("claimable", 1).await?;
        let (mut post, mut send) = (Measured::default(), Measured::default());
        for _ in 0..ROUNDS {
            post.add(scenarios::posts(&target, &channels, self.round(), &watched).await?);
            send.add(rooms::sends(&target, self.round(), &watched).await?);
        }
        print!("{post}{send}");
        let each = |m: &Measured| (m.operations() > 0).then(|| 1e6 / m.per_second());
        let what = format!("Time that a send to a room takes, {} at once, against a post", self.connections());
        self.report.ratio(Ratio::of(&what, each(&send), each(&post), "µs", 1.0));

        let urls: Vec<String> = self.replicas.iter().map(Server::url).collect();
        let pairs = Target::prepare(&urls, self.pairs()).await?;
        let wakes =
            self.wakes("Delivery in a room across replicas", async |bench| rooms::delivery(&pairs, bench.round(), &[]).await).await?;
        let held = self.idle_rooms().await?;

        let row = |m: &Measured| {
            let us = |name: &str| m.cpu_us(name).map_or_else(String::new, |v| format!("{v:.1}"));
            let (p50, p99, errors) = (m.latencies.quantile(0.5), m.latencies.quantile(0.99), m.errors.values().sum::<u64>());
            vec![m.scenario.clone(), format!("{:.0}", m.per_second()), ms(p50), ms(p99), us("server"), us("redis"), errors.to_string()]
        };
        let head = ["what", "operations/s", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let rows: Vec<_> = [&post, &send].into_iter().chain(wakes.all()).map(row).collect();
        let text = format!(
            "{}\nsend: a text of a post's length to one room, by as many participants as there are connections. rooms: from the sending on one replica to the \
             answer of the other participant, who polls on the other one; {} rooms, pauses of 10 to 30 ms. Each in turns with what it is compared with. {held}",
            table(&head, &rows),
            self.pairs()
        );
        self.report.section("Rooms", text);
        Ok(())
    }

    /// On a replica and a minimal server of their own, as for many waiters; what was held, in words.
    async fn idle_rooms(&mut self) -> Result<String> {
        let most = usize::try_from(proc::open_files().saturating_sub(200))?;
        let count = self.options.waiters.min(most) / 2;
        let yardstick = Server::minimal(&self.redis, Threads::Usual, &self.scratch).await?;
        let bare = self.held_by_bare_server(&yardstick, count * 2).await?.bytes_each;
        drop(yardstick);

        let seats = rooms::rooms(&self.replicas[0].url(), count).await?;
        let replica = Server::replica(&self.options.server, &self.redis, &self.scratch).await?;
        tokio::time::sleep(SETTLED).await;
        let readers = seats.iter().map(|seat| Ok((Connection::new(&replica.url(), None)?, seat.poll()))).collect::<Result<_>>()?;
        let mut held = hold(readers, &replica.watched()?).await?;
        let what = format!("Memory of a participant that polls ({count} rooms of two), against a request held by a bare axum server");
        self.report.ratio(Ratio::of(&what, Some(held.bytes_each / 1024.0), Some(bare / 1024.0), "KiB", 1.3));
        let answered = held.answered();
        Ok(format!("Of {} polls that one replica was to hold, {answered} were answered at once.", held.count))
    }
}
