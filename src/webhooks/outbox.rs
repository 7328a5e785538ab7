//! From the outboxes of channels into the queues: right after the request that wrote, and by sweeps where that did not come about.
//!
//! Two slots: into the queue first, out of the outbox second. A crash in between leaves entries that are handed over again; the queue knows
//! which it has had. A full queue pauses this, and the rest waits in the outbox.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_redis::redis::Value;
use parking_lot::Mutex;

use super::job::{Job, queue_of};
use crate::app::App;
use crate::error::{Code, Result};
use crate::ids::ChannelId;
use crate::store::reply::text_of;
use crate::store::scripts;

/// Entries that are moved in one step.
const BATCH: u64 = 64;
/// Steps of one hand-over; a sweep goes on where it ends.
const MAX_STEPS: usize = 100;

/// After a hand-over the next one of this channel waits so long: what comes meanwhile goes together, so that a busy channel's posts cost little
/// more than others.
const TOGETHER: Duration = Duration::from_millis(100);

/// How a hand-over left the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Empty, or as good as that.
    Empty,
    /// Empty, and the channel has no webhook or is gone.
    Idle,
    /// Its queue takes no more at the moment.
    Paused,
}

/// Which channels this replica hands over at the moment, and whether they were written to since that began: many posts at once are
/// moved by one hand-over.
#[derive(Default)]
pub struct HandOvers(Mutex<HashMap<ChannelId, bool>>);

impl HandOvers {
    /// False: one is running, and will look again.
    fn begin(&self, channel: &ChannelId) -> bool {
        let mut running = self.0.lock();
        match running.get_mut(channel) {
            Some(again) => {
                *again = true;
                false
            }
            None => running.insert(channel.clone(), false).is_none(),
        }
    }

    /// Whether to go on; if not, it has ended.
    fn goes_on(&self, channel: &ChannelId) -> bool {
        let mut running = self.0.lock();
        let again = running.get_mut(channel).is_some_and(std::mem::take);
        if !again {
            running.remove(channel);
        }
        again
    }
}

/// Hands over what stands in the channel's outbox, after the request that wrote it was answered: at once, or within a tenth of a second
/// where the channel is busy. Trouble is only logged: a worker's sweep
/// does it then.
pub async fn hand_over(app: &App, channel: &ChannelId) {
    app.metrics.outbox_written();
    if !app.hand_overs.begin(channel) {
        return;
    }
    loop {
        if let Err(failure) = move_all(app, channel).await {
            tracing::warn!(code = failure.code().spec().word, "deliveries wait in an outbox for the next sweep");
        }
        tokio::time::sleep(TOGETHER).await;
        if !app.hand_overs.goes_on(channel) {
            return;
        }
    }
}

/// Moves all that stands in the outbox into the channel's queue.
///
/// # Errors
/// Redis trouble; what was moved is moved.
pub async fn move_all(app: &App, channel: &ChannelId) -> Result<Left> {
    let slot = app.keys.channel(channel);
    for _ in 0..MAX_STEPS {
        let reply = match scripts::WEBHOOK_OUTBOX_READ.on(&slot).int("limit", BATCH).may_send_again(true).run(&app.redis).await {
            Err(e) if e.code() == Code::ChannelNotFound => return Ok(Left::Idle), // its outbox went with it
            reply => reply?,
        };
        if reply.status() == "idle" {
            return Ok(Left::Idle);
        }
        let entries = reply.list(0)?;
        if entries.is_empty() {
            return Ok(Left::Empty);
        }
        if !enter(app, channel, entries).await? {
            app.metrics.webhooks.hand_over_paused();
            return Ok(Left::Paused);
        }
        let ids = entries.iter().filter_map(id_of);
        scripts::WEBHOOK_OUTBOX_DONE.on(&slot).rest(ids).may_send_again(true).run(&app.redis).await?;
        if (entries.len() as u64) < BATCH {
            return Ok(Left::Empty);
        }
    }
    Ok(Left::Empty)
}

/// False: the queue is full.
async fn enter(app: &App, channel: &ChannelId, entries: &[Value]) -> Result<bool> {
    let mut jobs = Vec::with_capacity(entries.len() * 2);
    for entry in entries {
        match Job::of_outbox(channel, entry) {
            Some((id, job)) => jobs.extend([id, job.pack()]),
            None => tracing::error!("an entry of an outbox is not one of ours; it is left out"),
        }
    }
    let slot = app.keys.jobs(queue_of(channel.as_str()));
    let call = scripts::JOB_ENTER.on(&slot).key("handed", channel.as_str()).int("most", app.settings.webhook_queue_max).rest(jobs);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    Ok(reply.status() == "entered")
}

fn id_of(entry: &Value) -> Option<String> {
    match entry {
        Value::Array(parts) => parts.first().and_then(text_of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_is_written_to_meanwhile_is_looked_at_again() {
        let (running, channel) = (HandOvers::default(), ChannelId::generate());
        assert!(running.begin(&channel));
        assert!(!running.begin(&channel));
        assert!(!running.begin(&channel));
        assert!(running.goes_on(&channel));
        assert!(!running.goes_on(&channel));
        assert!(running.begin(&channel) && running.0.lock().len() == 1);
        assert!(!running.goes_on(&channel) && running.0.lock().is_empty());
    }
}
