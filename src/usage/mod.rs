//! What keys do, and what is done in channels, counted: in the replica's memory, so that a request costs Redis nothing, and added to
//! counters in Redis every few seconds.

pub mod account;
pub mod amounts;
pub mod budget;
pub mod channel;
mod held;
pub mod holdings;
pub mod leases;
pub mod metrics;
pub mod quotas;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::StreamExt;

pub use self::held::HeldCache;
pub use self::tally::Tally;
use self::tally::{ChannelCounts, Counts};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, KeyId};
use crate::store::{Reply, scripts};

/// Keys or channels whose counts are on their way to Redis at the same time.
const FLUSHED_AT_ONCE: usize = 16;

/// Flushes every few seconds, until the replica leaves; what channels hold, more often.
pub fn start(app: &App) {
    let weak = std::sync::Arc::downgrade(app);
    let every = app.settings.usage_flush;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(app) = weak.upgrade() else { return };
            flush(&app).await;
        }
    });
    holdings::start(app);
}

/// Adds what was counted to the counters in Redis. What Redis certainly did not take is kept for the next time; what it may have taken is
/// not sent again, so the counters are never too high.
pub async fn flush(app: &App) {
    let _alone = app.tally.flushing.lock().await;
    // One that fails is enough to know that Redis is in trouble; the others wait for the next flush.
    let in_trouble = &AtomicBool::new(false);
    let of_keys = futures::stream::iter(app.tally.keys.take_all());
    of_keys
        .for_each_concurrent(FLUSHED_AT_ONCE, |(key, counts)| async move {
            if in_trouble.load(Relaxed) {
                app.tally.keys.add(&key, counts);
            } else if send(app, &key, counts).await.is_err() {
                in_trouble.store(true, Relaxed);
            }
        })
        .await;
    leases::flush(app).await;
    holdings::report(app).await;
    let of_channels = futures::stream::iter(app.tally.channels.take_all());
    of_channels
        .for_each_concurrent(FLUSHED_AT_ONCE, |(channel, counts)| async move {
            if in_trouble.load(Relaxed) {
                app.tally.channels.add(&channel, counts);
            } else if send_of_channel(app, &channel, counts).await.is_err() {
                in_trouble.store(true, Relaxed);
            }
        })
        .await;
}

/// Adds these counts to the key's counters; what they are now. Learns whether the key may post on.
async fn send(app: &App, key: &KeyId, counts: Counts) -> Result<Counts> {
    let slot = app.keys.key(key);
    let call = scripts::USAGE_ADD.on(&slot).key("usage", key.as_str());
    let call = call.int("requests", counts.requests).int("errors", counts.errors).int("claims", counts.claims).int("acks", counts.acks);
    let sent = call.int("bytes", counts.bytes).run(&app.redis).await;
    if sent.as_ref().is_err_and(not_taken) {
        app.tally.keys.add(key, counts);
    }
    let reply = sent?;
    let now = decode(&reply)?;
    app.budget.heard(key, now.bytes, reply.micros(5)?, reply.now());
    Ok(now)
}

/// The key's counters now. What this replica has counted so far belongs to them.
///
/// # Errors
/// Redis trouble.
async fn counted(app: &App, key: &KeyId) -> Result<Counts> {
    send(app, key, app.tally.keys.take(key)).await.map_err(of_a_read)
}

/// Adds these counts to the channel's counters. Those of a channel that was deleted meanwhile are dropped.
async fn send_of_channel(app: &App, channel: &ChannelId, counts: ChannelCounts) -> Result<()> {
    if counts == ChannelCounts::default() {
        return Ok(());
    }
    let slot = app.keys.channel(channel);
    let call = scripts::USAGE_CHANNEL_ADD.on(&slot);
    let call = call.int("claims", counts.claims).int("acks", counts.acks).int("releases", counts.releases);
    match call.run(&app.redis).await {
        Err(e) if e.code() == Code::ChannelNotFound => Ok(()),
        Err(e) => {
            if not_taken(&e) {
                app.tally.channels.add(channel, counts);
            }
            Err(e)
        }
        Ok(_) => Ok(()),
    }
}

fn not_taken(e: &ApiError) -> bool {
    matches!(e.code(), Code::StorageUnavailable | Code::StorageFull | Code::Overloaded)
}

/// Whether its counters moved is nothing to who only reads them: asking again is safe.
fn of_a_read(e: ApiError) -> ApiError {
    if e.code() != Code::OutcomeUnknown {
        return e;
    }
    ApiError::new(Code::StorageUnavailable).cause(e.log_cause().unwrap_or_default())
}

fn decode(reply: &Reply) -> Result<Counts> {
    Ok(Counts { requests: reply.uint(0)?, errors: reply.uint(1)?, claims: reply.uint(2)?, acks: reply.uint(3)?, bytes: reply.uint(4)? })
}
