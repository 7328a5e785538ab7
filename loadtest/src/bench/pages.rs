//! The same page of a short listing and of a long one: it should cost the same.

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use serde_json::json;

use super::report::{Ratio, table};
use super::sizes::{row, total};
use super::{Bench, ROUNDS};
use crate::api::Target;
use crate::http::{Ask, read};
use crate::scenarios;
use crate::stats::Measured;

/// Of a key's short listings, and of its long ones: what a key may own, a channel may have, and is kept, by default.
const SHORT: u64 = 100;
const LONG: [u64; 4] = [500, 1000, 999, 1000];
/// Channels that can be found, when there are many: as many as say something.
const CHANNELS: u64 = 10_000;
/// Of one page.
const PAGE: u64 = 20;
/// The most that one request for the way into the middle may ask for.
const STRIDE: u64 = 100;
/// All channels that can be found, those of everybody.
const FOUND: (&str, &str) = ("channels that can be found", "/v1/channels?");

#[derive(Deserialize)]
struct Page {
    next_cursor: Option<String>,
}

/// What one key lists of its own, and of a channel of its own.
struct Listings {
    owner: Target,
    channel: String,
    /// How many entries each has.
    sizes: [u64; 4],
}

impl Listings {
    /// Each member but the owner is an event; each pause is an entry of the audit, as was the issue of the owner's key.
    async fn make(owner: Target, sizes: [u64; 4]) -> Result<Self> {
        let channel = owner.own_channel(json!({ "mode": "claimable" })).await?;
        let [owned, _, events, audit] = sizes;
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
        Ok(Self { owner, channel, sizes })
    }

    /// Name, path with a question mark, and whether its pages go on at a cursor.
    fn all(&self) -> [(&'static str, String, bool); 4] {
        let of_channel = |what| format!("/v1/channels/{}/{what}?", self.channel);
        [
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
            asks.push(if goes_on { middle(&self.owner, &path, entries).await? } else { Ask::get(&format!("{path}limit={PAGE}")) });
        }
        Ok(asks)
    }
}

/// For the page with which the second half begins.
async fn middle(target: &Target, path: &str, entries: u64) -> Result<Ask> {
    let (mut connection, mut cursor) = (target.connect(0)?, "0".to_owned());
    let mut left = entries / 2;
    while left > 0 {
        let limit = left.min(STRIDE);
        let page: Page = read(&connection.send(Ask::get(&format!("{path}limit={limit}&cursor={cursor}"))).await?)?;
        cursor = page.next_cursor.with_context(|| format!("{path} has fewer than {entries} entries"))?;
        left -= limit;
    }
    Ok(Ask::get(&format!("{path}limit={PAGE}&cursor={cursor}")))
}

impl Bench {
    pub(super) async fn pages(&mut self) -> Result<()> {
        let target = self.target(self.connections()).await?;
        let mut found = vec![self.found(&target, SHORT, CHANNELS).await?];
        let short = Listings::make(target.only(0), [SHORT, SHORT, SHORT - 1, SHORT]).await?;
        let long = Listings::make(target.only(1), LONG).await?;
        let (asks, watched) = (short.pages().await?.into_iter().zip(long.pages().await?), self.watched()?);
        for (i, (small, large)) in asks.enumerate() {
            let name = short.all()[i].0;
            let mut measured = [(short.sizes[i], Measured::default()), (long.sizes[i], Measured::default())];
            for _ in 0..ROUNDS {
                measured[0].1.add(scenarios::pages(name, &short.owner, small.clone(), self.round(), &watched).await?);
                measured[1].1.add(scenarios::pages(name, &long.owner, large.clone(), self.round(), &watched).await?);
            }
            found.push(measured);
        }

        let mut rows = Vec::new();
        for [(few, small), (many, large)] in &found {
            print!("{small}{large}");
            let what = format!("CPU of server and Redis per page of {}, {many} entries against {few}", small.scenario);
            self.report.ratio(Ratio::of(&what, total(large), total(small), "µs", 1.2));
            rows.extend([row(&small.scenario, *few, small), row(&large.scenario, *many, large)]);
        }
        let head = ["listing", "entries", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let text = format!(
            "{}\nPages of {PAGE} from the middle of the listing, of the audit the newest. Each channel of a page is read in a slot of its own. All but \
             the channels that can be found, of which there is one list, take turns.",
            table(&head, &rows)
        );
        self.report.section("Short and long listings", text);
        Ok(())
    }

    /// While there are few, and when there are many.
    async fn found(&self, target: &Target, few: u64, many: u64) -> Result<[(u64, Measured); 2]> {
        let (name, path) = FOUND;
        let mut measured = Vec::new();
        for (there, entries) in [(0, few), (few, many)] {
            target.channels_with(json!({ "mode": "claimable", "discoverable": true }), usize::try_from(entries - there)?).await?;
            let page = middle(target, path, entries).await?;
            measured.push((entries, scenarios::pages(name, target, page, self.window(), &self.watched()?).await?));
        }
        measured.try_into().map_err(|_| anyhow!("two were measured"))
    }
}
