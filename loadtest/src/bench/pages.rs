//! The same page of a short listing and of a long one: it should cost the same.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::children::Server;
use super::report::{Ratio, table};
use super::sizes::{row, total};
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::http::{Ask, read};
use crate::proc::Watched;
use crate::scenarios;
use crate::stats::Measured;

/// Entries of the short listings, in the order of [`Listings::all`].
const SHORT: [u64; 5] = [100, 100, 100, 99, 100];
/// Of the long ones: as many channels as say something, of all else what a key may own, a channel may have, and is kept, by default.
const LONG: [u64; 5] = [10_000, 500, 1000, 999, 1000];
/// Of one page.
const PAGE: u64 = 20;
/// The most that one request for the way into the middle may ask for.
const STRIDE: u64 = 100;

#[derive(Deserialize)]
struct Page {
    next_cursor: Option<String>,
}

/// What a fleet lists: to everybody, to one key of its own, and of a channel of that key.
struct Listings {
    owner: Target,
    channel: String,
    watched: Vec<Watched>,
    /// How many entries each has.
    sizes: [u64; 5],
}

impl Listings {
    /// Each member but the owner is an event; each pause is an entry of the audit, as was the issue of the owner's key.
    async fn make(target: &Target, watched: Vec<Watched>, sizes: [u64; 5]) -> Result<Self> {
        let owner = target.only(0);
        let channel = owner.own_channel(json!({ "mode": "claimable" })).await?;
        let [channels, owned, _, events, audit] = sizes;
        owner.channels_with(json!({ "mode": "claimable", "discoverable": true }), usize::try_from(channels)?).await?;
        for _ in 1..owned {
            owner.own_channel(json!({ "mode": "claimable" })).await?;
        }
        let mut connection = owner.connect(0)?;
        let path = format!("/v1/channels/{channel}");
        for _ in 0..events {
            let member = Ask::post(&format!("{path}/members"), &json!({ "key_id": owner.stranger().await? }));
            connection.send(member).await.context("letting in")?;
        }
        for i in 1..audit {
            connection.send(Ask::patch(&path, &json!({ "paused": i % 2 == 1 }))).await.context("pausing")?;
        }
        Ok(Self { owner, channel, watched, sizes })
    }

    /// Name, path with a question mark, and whether its pages go on at a cursor.
    fn all(&self) -> [(&'static str, String, bool); 5] {
        let of_channel = |what| format!("/v1/channels/{}/{what}?", self.channel);
        [
            ("channels that can be found", "/v1/channels?".into(), true),
            ("channels of a key", "/v1/channels?owned=true&".into(), true),
            ("members", of_channel("members"), true),
            ("events", of_channel("events"), true),
            ("audit", "/v1/security/audit?".into(), false),
        ]
    }

    /// For a page of each.
    async fn pages(&self) -> Result<Vec<Ask>> {
        let mut asks = Vec::new();
        for ((_, path, goes_on), entries) in self.all().into_iter().zip(self.sizes) {
            asks.push(if goes_on { self.middle(&path, entries).await? } else { Ask::get(&format!("{path}limit={PAGE}")) });
        }
        Ok(asks)
    }

    /// For the page with which the second half begins.
    async fn middle(&self, path: &str, entries: u64) -> Result<Ask> {
        let (mut connection, mut cursor) = (self.owner.connect(0)?, "0".to_owned());
        let mut left = entries / 2;
        while left > 0 {
            let limit = left.min(STRIDE);
            let page: Page = read(&connection.send(Ask::get(&format!("{path}limit={limit}&cursor={cursor}"))).await?)?;
            cursor = page.next_cursor.with_context(|| format!("{path} has fewer than {entries} entries"))?;
            left -= limit;
        }
        Ok(Ask::get(&format!("{path}limit={PAGE}&cursor={cursor}")))
    }
}

impl Bench {
    /// Short and long listings are those of two fleets with a replica each, so that both are there at the same time and can take turns.
    pub(super) async fn pages(&mut self) -> Result<()> {
        let other = Server::replica_of("few:", &self.options.server, &self.redis, &self.scratch).await?;
        let few = Target::prepare(&[other.url()], self.connections()).await?;
        let short = Listings::make(&few, vec![other.watched()?, self.redis.watched()?], SHORT).await?;
        let long = Listings::make(&self.target(self.connections()).await?, self.watched()?, LONG).await?;
        let mut rows = Vec::new();
        for (i, (small, large)) in short.pages().await?.into_iter().zip(long.pages().await?).enumerate() {
            let (name, mut measured) = (short.all()[i].0, [Measured::default(), Measured::default()]);
            for _ in 0..ROUNDS {
                for (sum, listings, page) in [(0, &short, &small), (1, &long, &large)] {
                    measured[sum].add(scenarios::pages(name, &listings.owner, page.clone(), self.round(), &listings.watched).await?);
                }
            }
            let [small, large] = measured;
            print!("{small}{large}");
            let what = format!("CPU of server and Redis per page of {name}, {} entries against {}", LONG[i], SHORT[i]);
            self.report.ratio(Ratio::of(&what, total(&large), total(&small), "µs", 1.2));
            rows.extend([row(name, SHORT[i], &small), row(name, LONG[i], &large)]);
        }
        let head = ["listing", "entries", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let text = format!(
            "{}\nPages of {PAGE} from the middle of the listing, of the audit the newest. Each channel of a page is read in a slot of its own. The short \
             ones are of a fleet of their own on the same Redis. In turns, {ROUNDS} each.",
            table(&head, &rows)
        );
        self.report.section("Short and long listings", text);
        Ok(())
    }
}
