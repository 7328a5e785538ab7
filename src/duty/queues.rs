//! How much the queues of webhook deliveries hold, read by one worker for all; and which workers are gone.

use super::findings::{self, Part};
use super::lease::Lease;
use crate::app::App;
use crate::error::Result;
use crate::store::keyspace::JOB_QUEUES;
use crate::store::scripts;
use crate::webhooks::worker;

pub const DEPTH: &str = "queue_depth";
pub const LATER: &str = "queue_later";
/// When the oldest delivery to be tried now came (µs), 0: there is none.
pub const OLDEST: &str = "queue_oldest";

/// Reads all queues and files what they hold.
///
/// # Errors
/// When Redis is in trouble.
pub async fn read(app: &App, lease: &Lease) -> Result<()> {
    let (mut depth, mut later, mut oldest_ms) = (0, 0, None);
    for queue in 0..JOB_QUEUES {
        let slot = app.keys.jobs(queue);
        let reply = scripts::JOB_GAUGE.on(&slot).may_send_again(true).run(&app.redis).await?;
        depth += reply.uint(0)?;
        later += reply.uint(1)?;
        let ms = Some(reply.uint(2)?).filter(|ms| *ms > 0);
        oldest_ms = oldest_ms.into_iter().chain(ms).min();
    }
    let oldest = oldest_ms.unwrap_or(0) * 1000;
    if findings::file(app, lease, Part::Queues, &[(DEPTH, depth), (LATER, later), (OLDEST, oldest)]).await? {
        worker::forget(app, "").await;
    }
    Ok(())
}
