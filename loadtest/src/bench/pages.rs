//! The same page of a short listing and of a long one: it should cost the same.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;

use super::Bench;
use super::report::{Ratio, table};
use super::sizes::{row, total};
use crate::api::Target;
use crate::http::{Ask, read};
use crate::scenarios;
use crate::stats::Measured;

/// Entries of the short listings, in the order of [`Listings::all`].
const SHORT: [usize; 5] = [100, 100, 100, 99, 100];
/// Of the long ones: as many channels as say something, of all else what is kept or allowed by default.
const LONG: [usize; 5] = [10_000, 500, 1000, 999, 1000];
/// Of one page.
const PAGE: usize = 20;
/// The most that one request for the way into the middle may ask for.
const STRIDE: usize = 100;

#[derive(Deserialize)]
struct Page {
    next_cursor: Option<String>,
}

/// What is listed, and by whom: one key that owns a channel.
struct Listings {
    owner: Target,
    channel: String,
    /// How many entries each has.
    sizes: [usize; 5],
}

impl Listings {
    async fn new(target: &Target) -> Result<Self> {
        let owner = target.as_one_key();
        let channel = owner.own_channel(json!({ "mode": "claimable" })).await?;
        Ok(Self { owner, channel, sizes: [0, 1, 1, 0, 1] })
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

    /// Each member but the owner is an event; each pause is an entry of the audit, as was the issue of the owner's key.
    async fn grow(&mut self, to: [usize; 5]) -> Result<()> {
        let [channels, owned, _, events, audit] = self.sizes;
        self.owner.channels_with(json!({ "mode": "claimable", "discoverable": true }), to[0] - channels).await?;
        for _ in owned..to[1] {
            self.owner.own_channel(json!({ "mode": "claimable" })).await?;
        }
        let mut connection = self.owner.connect(0)?;
        let path = format!("/v1/channels/{}", self.channel);
        for i in events..to[3] {
            let key_id = self.owner.stranger(i).await?;
            connection.send(Ask::post(&format!("{path}/members"), &json!({ "key_id": key_id }))).await.context("letting in")?;
        }
        for i in audit..to[4] {
            connection.send(Ask::patch(&path, &json!({ "paused": i % 2 == 0 }))).await.context("pausing")?;
        }
        self.sizes = to;
        Ok(())
    }

    /// Where the second half begins.
    async fn middle(&self, path: &str, entries: usize) -> Result<String> {
        let (mut connection, mut cursor) = (self.owner.connect(0)?, "0".to_owned());
        let mut left = entries / 2;
        while left > 0 {
            let limit = left.min(STRIDE);
            let page: Page = read(&connection.send(Ask::get(&format!("{path}limit={limit}&cursor={cursor}"))).await?)?;
            cursor = page.next_cursor.with_context(|| format!("{path} has fewer than {entries} entries"))?;
            left -= limit;
        }
        Ok(cursor)
    }
}

impl Bench {
    pub(super) async fn pages(&mut self) -> Result<()> {
        let target = self.target(self.connections()).await?;
        let mut listings = Listings::new(&target).await?;
        listings.grow(SHORT).await?;
        let short = self.page_of_each(&listings).await?;
        listings.grow(LONG).await?;
        let long = self.page_of_each(&listings).await?;
        let mut rows = Vec::new();
        for (i, (small, large)) in short.iter().zip(&long).enumerate() {
            print!("{small}{large}");
            let (name, [few, many]) = (&small.scenario, [SHORT[i], LONG[i]]);
            let what = format!("CPU of server and Redis per page of {name}, {many} entries against {few}");
            self.report.ratio(Ratio::of(&what, total(large), total(small), "µs", 1.2));
            rows.extend([row(name, few as u64, small), row(name, many as u64, large)]);
        }
        let head = ["listing", "entries", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let text = format!(
            "{}\nPages of {PAGE} from the middle of the listing, of the audit the newest. Each channel of a page is read in a slot of its own.",
            table(&head, &rows)
        );
        self.report.section("Short and long listings", text);
        Ok(())
    }

    async fn page_of_each(&self, listings: &Listings) -> Result<Vec<Measured>> {
        let (mut found, watched) = (Vec::new(), self.watched()?);
        for ((name, path, goes_on), entries) in listings.all().into_iter().zip(listings.sizes) {
            let from = if goes_on { format!("&cursor={}", listings.middle(&path, entries).await?) } else { String::new() };
            let ask = Ask::get(&format!("{path}limit={PAGE}{from}"));
            found.push(scenarios::pages(name, &listings.owner, ask, self.round(), &watched).await?);
        }
        Ok(found)
    }
}
