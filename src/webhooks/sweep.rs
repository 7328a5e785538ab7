//! Sweeps: what a replica that died has left in outboxes is handed over by a worker.
//!
//! Each part of the index of outboxes is swept by one worker at a time. A channel leaves the index when its outbox is empty, it has no webhook,
//! and nobody has put it there for longer than any replica relies on that.

use std::time::Duration;

use deadpool_redis::redis::Value;
use futures::StreamExt;

use super::outbox::{Left, move_all};
use super::worker::Worker;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::ids::{ChannelId, Micros};
use crate::store::keyspace::OUTBOX_PARTS;
use crate::store::reply::text_of;
use crate::store::scripts;

/// Between two pages of one part.
const PAUSE: Duration = Duration::from_millis(1000);
/// Channels of one page, and how many of them are looked into at the same time.
const PAGE: u64 = 128;
const AT_ONCE: usize = 8;
/// How long a part is one worker's.
const LEASE_MS: u64 = 30_000;
/// A replica puts a channel into the index again after ten minutes only.
const STAYS: Micros = Micros(20 * 60 * 1_000_000);

/// Sweeps until the worker stops.
pub(super) async fn run(worker: &Worker) {
    let mut from = [0u64; OUTBOX_PARTS as usize];
    while worker.rests(PAUSE).await {
        for part in 0..OUTBOX_PARTS {
            let at = &mut from[usize::from(part)];
            match page(&worker.courier.app, &worker.name, part, *at).await {
                Ok(next) => *at = next,
                Err(failure) => {
                    tracing::warn!(code = failure.code().spec().word, "outboxes cannot be swept at the moment");
                    break;
                }
            }
        }
    }
}

/// One page of a part; where the next one begins.
async fn page(app: &App, worker: &str, part: u8, from: u64) -> Result<u64> {
    let slot = app.keys.outboxes_part(part);
    let call = scripts::WEBHOOK_SWEEP_PAGE.on(&slot).arg("worker", worker).int("lease_ms", LEASE_MS).int("from", from).int("limit", PAGE);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    if reply.status() == "taken" {
        return Ok(0);
    }
    let entries: Vec<(ChannelId, String)> = reply.list(0)?.chunks_exact(2).filter_map(entry).collect();
    let (found, now) = (entries.len(), reply.now());
    let all = futures::stream::iter(entries.into_iter().map(|(channel, score)| sweep(app, part, channel, score, now)));
    let swept: Vec<Result<bool>> = all.buffer_unordered(AT_ONCE).collect().await;
    app.metrics.webhooks.swept(found);
    let left = swept.into_iter().collect::<Result<Vec<bool>>>()?.into_iter().filter(|left| *left).count();
    if (found as u64) < PAGE {
        app.metrics.webhooks.sweep_ended();
        return Ok(0);
    }
    Ok(from + (found - left) as u64)
}

fn entry(pair: &[Value]) -> Option<(ChannelId, String)> {
    Some((ChannelId::parse(&text_of(&pair[0])?)?, text_of(&pair[1])?))
}

/// Whether the channel has left the index.
async fn sweep(app: &App, part: u8, channel: ChannelId, score: String, now: Micros) -> Result<bool> {
    let left = move_all(app, &channel).await?;
    let entered: u64 =
        score.parse::<f64>().map(|s| s as u64).map_err(|_| ApiError::internal("an entry of the index of outboxes is broken"))?;
    if left != Left::Idle || now.0 < entered + STAYS.0 {
        return Ok(false);
    }
    let slot = app.keys.outboxes_part(part);
    let call = scripts::WEBHOOK_SWEEP_LEAVE.on(&slot).arg("id", channel.as_str()).arg("score", &score);
    Ok(call.may_send_again(true).run(&app.redis).await?.status() == "left")
}
