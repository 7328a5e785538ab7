//! The survey: a walk over all channels, at a pace, that counts them and finds the oldest message that waits to be claimed.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::findings::{self, Part};
use super::lease::Lease;
use crate::app::App;
use crate::channels::expire;
use crate::error::{ApiError, Code, Result};
use crate::ids::ChannelId;
use crate::sandbox;
use crate::store::scripts;
use crate::store::walk::Walk;

pub const CHANNELS: &str = "channels";
pub const OPEN: &str = "open_messages";
pub const LEASES: &str = "running_leases";
/// The number of the oldest open message, 0: there is none.
pub const OLDEST: &str = "oldest_open";
pub const DURATION_MS: &str = "survey_ms";

/// Between the begins of two passes, at least.
const EVERY: Duration = Duration::from_secs(5);
/// Between the end of a long pass and the next one.
const BREATH: Duration = Duration::from_secs(1);
/// Keys of one page of the walk.
const PAGE: usize = 200;
/// Channels that are looked into at the same time.
const AT_ONCE: usize = 8;

/// How long to rest after a pass.
pub fn rest_after(took: Duration) -> Duration {
    EVERY.saturating_sub(took).max(BREATH)
}

/// What a pass adds up. Its size does not depend on how many channels there are.
#[derive(Default)]
struct Sum {
    channels: u64,
    open: u64,
    leases: u64,
    oldest: Option<u64>,
}

/// What a look at a channel found.
struct Look {
    open: u64,
    oldest: Option<u64>,
    leases: u64,
}

/// One pass over all channels; how long it took. Without the lease it ends early and files nothing.
///
/// # Errors
/// When Redis is in trouble: the pass counts for nothing.
pub async fn pass(app: &App, lease: &Lease) -> Result<Duration> {
    let began = Instant::now();
    let mut walk = Walk::begin(&app.settings.redis_url, &app.keys, app.settings.redis_timeout).await?;
    let page_takes = Duration::from_secs_f64(PAGE as f64 / app.settings.survey_keys_per_second as f64);
    let (mut sum, mut due) = (Sum::default(), began);
    while lease.is_held() {
        let Some(channels) = walk.page(PAGE).await? else {
            return end(app, lease, &sum, began.elapsed()).await;
        };
        let mut looks = futures::stream::iter(channels.into_iter().map(|id| look(app, lease, id))).buffer_unordered(AT_ONCE);
        while let Some(look) = looks.next().await {
            if let Some(look) = look? {
                sum.add(&look);
            }
        }
        // Time that was lost is not made up for: no bursts.
        due = (due + page_takes).max(Instant::now());
        sleep_until(due.min(Instant::now() + page_takes)).await;
    }
    Ok(began.elapsed())
}

async fn end(app: &App, lease: &Lease, sum: &Sum, took: Duration) -> Result<Duration> {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let found =
        [(CHANNELS, sum.channels), (OPEN, sum.open), (LEASES, sum.leases), (OLDEST, sum.oldest.unwrap_or(0)), (DURATION_MS, took_ms)];
    if findings::file(app, lease, Part::Survey, &found).await? {
        app.metrics.duty.surveyed();
    }
    Ok(took)
}

impl Sum {
    fn add(&mut self, look: &Look) {
        self.channels += 1;
        self.open += look.open;
        self.leases += look.leases;
        self.oldest = self.oldest.into_iter().chain(look.oldest).min();
    }
}

/// Looks into a channel, and deletes it if it is idle. None: it is not there.
async fn look(app: &App, lease: &Lease, id: ChannelId) -> Result<Option<Look>> {
    let slot = app.keys.channel(&id);
    let reply = match scripts::CHANNEL_SURVEY.on(&slot).may_send_again(true).run(&app.redis).await {
        Err(e) if e.code() == Code::ChannelNotFound => return Ok(None),
        reply => reply?,
    };
    let used_until = reply.uint(3)?;
    let is_idle = expire::idle_s(app).is_some_and(|s| used_until + s * 1_000_000 < reply.now().0);
    if is_idle && !sandbox::is(&id) && lease.is_held() && expire(app, &id).await? {
        app.metrics.duty.expired();
        return Ok(None);
    }
    Ok(Some(Look { open: reply.uint(0)?, oldest: Some(reply.uint(1)?).filter(|n| *n > 0), leases: reply.uint(2)? }))
}

/// Deletes the channel if it is idle; whether it did. As a task of its own, so that a worker that leaves does not stop between channel and names.
async fn expire(app: &App, id: &ChannelId) -> Result<bool> {
    let (task_app, task_id) = (app.clone(), id.clone());
    let task = app.background.spawn(async move { expire::expire(&task_app, &task_id).await });
    task.await.map_err(|e| ApiError::internal(e.to_string()))?
}
