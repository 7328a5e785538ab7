//! From the outboxes of channels into the queues: right after the request that wrote, and by sweeps where that did not come about.
//!
//! Two slots: into the queue first, out of the outbox second. A crash in between leaves entries that are handed over again; the queue knows
//! which it has had. A full queue pauses this, and the rest waits in the outbox.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_redis::redis::Value;
use parking_lot::Mutex;

use super::job::{BUNDLE, BUNDLED, Job, Target, queue_of};
use crate::app::App;
use crate::error::{Code, Result};
use crate::ids::ChannelId;
use crate::store::reply::text_of;
use crate::store::{outbox, scripts};

/// Entries that are moved in one step.
const BATCH: u64 = 128;
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

/// Hands over what stands in the channel's outbox, in the background: at once, or within a tenth of a second where the channel is busy. Trouble
/// is only logged: a worker's sweep does it then.
pub fn hand_over_later(app: &App, channel: &ChannelId) {
    app.metrics.outbox_written();
    if app.hand_overs.begin(channel) {
        let (app_of_task, channel) = (app.clone(), channel.clone());
        app.background.spawn(async move { hand_over(&app_of_task, &channel).await });
    }
}

async fn hand_over(app: &App, channel: &ChannelId) {
    loop {
        let moved = async { move_from(app, channel, read(app, channel, None).await?).await };
        if let Err(failure) = moved.await {
            tracing::warn!(code = failure.code().spec().word, "deliveries wait in an outbox for the next sweep");
        }
        tokio::time::sleep(TOGETHER).await;
        if !app.hand_overs.goes_on(channel) {
            return;
        }
    }
}

/// Moves all that stands in the outbox into the channel's queue, and learns whether anybody wants to be told at all.
///
/// # Errors
/// Redis trouble; what was moved is moved.
pub async fn move_all(app: &App, channel: &ChannelId) -> Result<Left> {
    let slot = app.keys.channel(channel);
    match scripts::WEBHOOK_OUTBOX_READ.on(&slot).int("limit", BATCH).may_send_again(true).run(&app.redis).await {
        Err(e) if e.code() == Code::ChannelNotFound => Ok(Left::Idle), // and its outbox with it
        Err(e) => Err(e),
        Ok(reply) if reply.status() == "idle" => Ok(Left::Idle),
        Ok(reply) => move_from(app, channel, reply.list(0)?.to_vec()).await,
    }
}

/// Moves this page, the oldest one, and all behind it. The next page is read, and the one before taken out, while one is entered: a channel that many
/// post to is moved as fast as they post.
async fn move_from(app: &App, channel: &ChannelId, mut page: Vec<Value>) -> Result<Left> {
    let mut entered = Vec::new();
    for _ in 0..MAX_STEPS {
        let last = page.last().and_then(id_of);
        let is_whole = page.len() as u64 == BATCH;
        let next = async { if is_whole { read(app, channel, last.as_deref()).await } else { Ok(Vec::new()) } };
        let (taken, next, done) = tokio::join!(enter(app, channel, &page), next, take_out(app, channel, &entered));
        done?;
        if !taken? {
            app.metrics.webhooks.hand_over_paused();
            return Ok(Left::Paused);
        }
        entered = std::mem::replace(&mut page, next?);
        if page.is_empty() {
            break;
        }
    }
    take_out(app, channel, &entered).await?;
    Ok(Left::Empty)
}

async fn read(app: &App, channel: &ChannelId, after: Option<&str>) -> Result<Vec<Value>> {
    outbox::page(&app.redis, &app.keys.channel(channel), after, BATCH).await
}

/// Into the queue. False: it is full.
async fn enter(app: &App, channel: &ChannelId, entries: &[Value]) -> Result<bool> {
    let mut ids = String::with_capacity(entries.len() * 18);
    let mut bundles = Bundles::default();
    for entry in entries {
        match Job::of_outbox(channel, entry) {
            Some((id, job)) => {
                ids += &id;
                ids.push(' ');
                bundles.add(job);
            }
            None => tracing::error!("an entry of an outbox is not one of ours; it is left out"),
        }
    }
    if bundles.jobs == 0 {
        return Ok(true);
    }
    let slot = app.keys.jobs(queue_of(channel.as_str()));
    let call = scripts::JOB_ENTER.on(&slot).key("handed", channel.as_str()).int("most", app.settings.webhook_queue_max);
    let call = call.arg("ids", &ids).int("count", bundles.jobs).rest(bundles.texts).may_send_again(true);
    Ok(call.run(&app.redis).await?.status() == "entered")
}

/// Jobs as entries of a queue. They keep their order, so those of one bundle are those of one webhook that follow each other.
#[derive(Default)]
struct Bundles {
    texts: Vec<String>,
    /// In all texts.
    jobs: u64,
    /// What the last text is for, and how many jobs it has.
    last: Option<(Target, usize)>,
}

impl Bundles {
    fn add(&mut self, job: Job) {
        self.jobs += 1;
        if let (Some((target, count)), Some(text)) = (&mut self.last, self.texts.last_mut())
            && *target == job.target
            && *count < BUNDLE
        {
            *count += 1;
            text.push(BUNDLED);
            job.pack_behind(text);
            return;
        }
        self.texts.push(job.pack());
        self.last = Some((job.target, 1));
    }
}

/// What is in the queue is taken out of the outbox, of which it was the oldest part.
async fn take_out(app: &App, channel: &ChannelId, entries: &[Value]) -> Result<()> {
    let Some(last) = entries.last().and_then(id_of) else { return Ok(()) };
    let slot = app.keys.channel(channel);
    scripts::WEBHOOK_OUTBOX_DONE.on(&slot).arg("last", &last).may_send_again(true).run(&app.redis).await?;
    Ok(())
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
    use crate::ids::{ActorId, Micros};

    #[test]
    fn jobs_of_one_webhook_that_follow_each_other_are_bundled_and_no_more_than_eight() {
        let (channel, actor) = (ChannelId::generate(), ActorId::parse("act_ooooooooooooooooaaaaaaaaaa").expect("an id"));
        let job = |n: u64, target: &Target| Job { target: target.clone(), ..Job::test(Target::Channel(channel.clone()), Micros(n)) };
        let (of_channel, of_actor) = (Target::Channel(channel.clone()), Target::Actor(actor));
        let all: Vec<Job> = (0..20).map(|n| job(n, if n == 10 { &of_actor } else { &of_channel })).collect();
        let mut bundles = Bundles::default();
        all.iter().for_each(|job| bundles.add(job.clone()));
        let sizes: Vec<usize> = bundles.texts.iter().map(|text| text.split(BUNDLED).count()).collect();
        assert_eq!((sizes, bundles.jobs), (vec![8, 2, 1, 8, 1], 20));
        let read: Vec<Job> = bundles.texts.iter().flat_map(|text| text.split(BUNDLED)).filter_map(Job::parse).collect();
        assert_eq!(read, all);
    }

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
